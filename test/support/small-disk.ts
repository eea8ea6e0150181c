import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk of a few megabytes, in memory. */
export interface SmallDisk {
  readonly folder: string
  /** Mounts it anew with other options, such as `size=16m` or `ro`. */
  readonly remount: (options: string) => void
  /** Lets another program take all the space that is left. */
  readonly fill: () => void
  readonly unmount: () => void
}

/** Undefined where this process may not mount one: the tests that need it say `skipped` and are. */
export function smallDisk(size: string, skipped: string): SmallDisk | undefined {
  const parent = mkdtempSync(join(tmpdir(), 'geppetto-disk-'))
  const folder = join(parent, 'disk')
  mkdirSync(folder)
  const mount = (...args: string[]) => execFileSync('mount', [...args, folder], { stdio: 'pipe' })
  let fillers = 0
  try {
    mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs')
  } catch {
    rmSync(parent, { recursive: true })
    console.log(`skipped: ${skipped} (this process may not mount a disk)`)
    return undefined
  }
  return {
    folder,
    remount: (options) => void mount('-o', `remount,${options}`),
    fill: () => {
      fillers += 1
      for (let kilobytes = 16_384; kilobytes >= 4; kilobytes /= 2)
        fillWith(folder, `${fillers}-${kilobytes}`, kilobytes)
    },
    unmount: () => {
      execFileSync('umount', [folder])
      rmSync(parent, { recursive: true })
    },
  }
}

function fillWith(folder: string, name: string, kilobytes: number): void {
  const file = join(folder, `filler-${name}`)
  try {
    writeFileSync(file, Buffer.alloc(kilobytes * 1024))
  } catch {
    rmSync(file, { force: true })
  }
}
