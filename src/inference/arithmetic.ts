import { GeppettoError } from '../errors.ts'

const maxLength = 1000
const maxDepth = 50

// One token: a number, an operator (`**` before `*`), or a character that is neither.
const tokenPattern = /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(\*\*|[-+*/%()])|(\S))/gy

type Operator = (left: number, right: number) => number
const additive: ReadonlyMap<string, Operator> = new Map([
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
])
const multiplicative: ReadonlyMap<string, Operator> = new Map([
  ['*', (left, right) => left * right],
  ['/', (left, right) => left / right],
  ['%', (left, right) => left % right],
])

/**
 * The value of an arithmetic expression: numbers, `+ - * / % **`, signs and parentheses, with the precedence of
 * JavaScript (`**` binds to the right; a sign before it belongs to the whole power). At most 1000 characters and 50
 * parentheses deep. Throws TOOL_FAILED for what is no expression and for a value that is not finite.
 */
export function evaluateArithmetic(expression: string): number {
  if (expression.length > maxLength) throw failure(`the expression is longer than ${maxLength} characters`)
  const value = new Parser(tokensOf(expression)).parse()
  if (!Number.isFinite(value)) throw failure('the value is not a finite number (a division by zero, or too large)')
  return value
}

function tokensOf(expression: string): readonly string[] {
  return [...expression.trimEnd().matchAll(tokenPattern)].map(([, number, operator, other]) => {
    if (other !== undefined) throw failure(`${JSON.stringify(other)} is not part of arithmetic`)
    return number ?? operator ?? ''
  })
}

class Parser {
  readonly #tokens: readonly string[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  parse(): number {
    const value = this.#sum()
    if (this.#next !== undefined) throw failure(`${this.#next} was not expected there`)
    return value
  }

  get #next(): string | undefined {
    return this.#tokens[this.#at]
  }

  #sum(): number {
    return this.#leftToRight(additive, () => this.#product())
  }

  #product(): number {
    return this.#leftToRight(multiplicative, () => this.#signed())
  }

  #leftToRight(operators: ReadonlyMap<string, Operator>, operand: () => number): number {
    let value = operand()
    for (let apply = operators.get(this.#next ?? ''); apply !== undefined; apply = operators.get(this.#next ?? '')) {
      this.#at += 1
      value = apply(value, operand())
    }
    return value
  }

  #signed(): number {
    const isNegative = this.#take('-')
    if (isNegative || this.#take('+')) return this.#deeper(() => (isNegative ? -this.#signed() : this.#signed()))
    const base = this.#primary()
    return this.#take('**') ? this.#deeper(() => base ** this.#signed()) : base
  }

  #primary(): number {
    if (this.#take('(')) {
      const value = this.#deeper(() => this.#sum())
      if (!this.#take(')')) throw failure('a closing parenthesis is missing')
      return value
    }
    const token = this.#next
    if (token === undefined) throw failure('the expression ends where a number is expected')
    if (!/^[.\d]/.test(token)) throw failure(`a number was expected, not ${token}`)
    this.#at += 1
    return Number(token)
  }

  #take(token: string): boolean {
    if (this.#next !== token) return false
    this.#at += 1
    return true
  }

  #deeper(parse: () => number): number {
    this.#depth += 1
    if (this.#depth > maxDepth) throw failure(`the expression is more than ${maxDepth} levels deep`)
    const value = parse()
    this.#depth -= 1
    return value
  }
}

function failure(problem: string): GeppettoError {
  return new GeppettoError('TOOL_FAILED', `The expression has no value: ${problem}.`)
}
