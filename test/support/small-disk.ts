import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
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

/** Whether this process may mount disks; says `skipped` where it may not, and what of. */
export function canMountDisks(skipped: string): boolean {
  try {
    mountDisk('1m').unmount()
    return true
  } catch {
    console.log(`skipped: ${skipped} (this process may not mount a disk)`)
    return false
  }
}

export function mountDisk(size: string): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'geppetto-disk-'))
  const mount = (...args: string[]) => execFileSync('mount', [...args, folder], { stdio: 'pipe' })
  let fillers = 0
  try {
    mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs')
  } catch (error) {
    rmdirSync(folder)
    throw error
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
      rmdirSync(folder)
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
