import { expect, test } from 'vitest'
import { progressText } from './progress.ts'

test('the progress line says how long it takes and how much has come', () => {
  expect(progressText(0, 0)).toBe('⠋ 0.0 s')
  expect(progressText(1250, 481)).toBe('⠹ 1.3 s · about 121 tokens')
})
