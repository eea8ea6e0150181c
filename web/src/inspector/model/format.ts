/** A length of time, as people say it. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** The time of day, to the millisecond, in UTC. */
export function formatTime(at: string): string {
  return at.slice(11, 23)
}

const dollars = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumSignificantDigits: 4 })
const whole = new Intl.NumberFormat('en')

export function formatCost(cost: number): string {
  return dollars.format(cost)
}

export function formatCount(count: number): string {
  return whole.format(count)
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** A number of things, in one or in several. */
export function counted(count: number, name: string): string {
  return `${formatCount(count)} ${name}${count === 1 ? '' : 's'}`
}
