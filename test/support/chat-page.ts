import type { Locator, Page } from 'playwright-core'

// The chat as a person finds their way on it: by roles and names.

export function composer(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Message', exact: true })
}

export function answers(page: Page): Locator {
  return page.getByRole('article', { name: 'Answer' })
}

export async function say(page: Page, prompt: string): Promise<void> {
  await composer(page).fill(prompt)
  await composer(page).press('Enter')
}

/** Waits until nothing is being written. */
export async function untilDone(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Ask again' }).last().waitFor({ timeout: 20_000 })
  await page.getByText('No answer is being written').waitFor({ state: 'attached', timeout: 20_000 })
}
