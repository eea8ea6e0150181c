import type { Reporter, TestModule } from 'vitest/node'

/** Says which tests did not run, and why: `context.skip('why')` in a test gives the reason. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const test of modules.flatMap((module) => [...module.children.allTests('skipped')])) {
      const result = test.result()
      const reason = result.state === 'skipped' ? result.note : undefined
      console.log(`skipped: ${test.fullName} (${reason ?? 'no reason given'})`)
    }
  }
}
