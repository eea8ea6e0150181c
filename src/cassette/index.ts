export type { Cassette } from './cassette.ts'
export type { CassetteCommand } from './format.ts'
export { recordCassette, type CassetteRecorder, type RecordOptions } from './record.ts'
export { replayCassette, type CassettePlayer, type ReplayOptions } from './replay.ts'
