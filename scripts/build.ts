// Builds dist: the types file by file, the code in a few bundles, for every file that is loaded costs an importer
// time; and the web app.
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { build } from 'vite'

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')
const folders = [
  'turns',
  'events',
  'timeline',
  'client',
  'telemetry',
  'inference',
  'providers',
  'middleware',
  'store',
  'cassette',
  'session',
  'server',
]
const entries = ['index', ...folders.map((folder) => `${folder}/index`), 'cli/main']

rmSync(dist, { recursive: true, force: true })
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
const bundle = await rolldown({
  input: Object.fromEntries(entries.map((entry) => [entry, join(root, 'src', `${entry}.ts`)])),
  // Packages stay packages, but for yaml: its 72 files cost an importer 30 ms, and what we use of it costs 6.
  external: (id) => !/^(?:\.|\/|yaml$)/.test(id),
  platform: 'neutral',
  resolve: { mainFields: ['module', 'main'], conditionNames: ['import'] },
  preserveEntrySignatures: 'allow-extension',
})
await bundle.write({
  dir: dist,
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
  // One chunk a layer: who imports the turns alone, in a browser say, does not load the providers.
  codeSplitting: {
    includeDependenciesRecursively: false,
    groups: [
      { name: 'yaml', test: /node_modules\/yaml\// },
      { name: 'ground', test: /src\/(?:errors|json|clock)\.ts$/ },
      ...folders.map((name) => ({ name, test: new RegExp(`src/${name}/`) })),
    ],
  },
})
await bundle.close()
copyFileSync(join(root, 'node_modules/yaml/LICENSE'), join(dist, 'chunks/yaml.LICENSE'))
await build({ configFile: join(root, 'web/vite.config.ts'), logLevel: 'warn' })
