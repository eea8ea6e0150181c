import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command, type TerminalOptions } from '../../test/support/command-line.ts'
import { engineNames } from '../providers/factory.ts'
import { toolNames } from './conversation.ts'
import { keyVariables } from './engine-options.ts'

let folder: string
const files: Readonly<Record<string, string>> = {
  'answered.yaml':
    'id: t1\nblocks:\n- {id: b1, kind: user, role: user, payload: {text: Hello}}\n- {id: b2, kind: llm_text, role: assistant, payload: {text: Hi.}}\n',
  'asked.yaml': 'metadata: {geppetto.session_id@v1: s-file}\nblocks:\n- {kind: user, payload: {text: say yes}}\n',
  'old.yaml': 'run_id: old-session\nblocks:\n- {kind: user, payload: {text: say old}}\n',
  'broken.yaml': 'blocks: 3\n',
  'unclosed.yaml': 'blocks: [\n',
  key: ' sk-secret \n',
  'two-keys': 'sk-secret\nsk-other\n',
  empty: '\n',
  'fails.yaml':
    '- reply: [{reasoning: Hm.}, {text: Half}, {fail: {code: PROVIDER_OVERLOADED, message: "Too much\\nto do."}}]\n',
  'endless.yaml': '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n',
  'refuses.yaml': '- {reply: [{text: I would rather not.}], stop_reason: refusal}\n',
  'wrong-script.yaml': '- reply: [{sing: la}]\n',
  'steers.yaml': '- reply: [{text: "a\\e[31mb\\rc"}]\n',
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geppetto-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
})
afterAll(() => rm(folder, { recursive: true }))

/** Runs the words of `line`; `@name` is a file of this test, and a quoted word may have spaces. */
function geppetto(line: string, options?: TerminalOptions) {
  const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')
  return command(
    words.map((word) => (word.startsWith('@') ? join(folder, word.slice(1)) : word)),
    options,
  )
}

describe('wrong use ends with 2, one sentence, and nothing on standard output', () => {
  const cases: readonly (readonly [line: string, says: string])[] = [
    ['rum', 'USAGE: Unknown command'],
    ['run --frob', 'USAGE: Unknown option'],
    ['run one two', 'USAGE: Too many arguments'],
    ['run hi --output xml', 'USAGE: Option'],
    ['run hi --pace fast', 'USAGE: Option'],
    ['run hi --engine', 'USAGE: Option'],
    [
      'run hi --engine nope',
      'PROVIDER_UNKNOWN: There is no engine "nope"; the engines are openai, openai-responses, anthropic, gemini, scripted',
    ],
    [
      'run hi --tool calculator --tool nope',
      'USAGE: There is no tool "nope"; the tools are calculator and current_time.',
    ],
    ['run', 'USAGE: There is no prompt'],
    ['run ""', 'USAGE: There is no prompt'],
    ['run hi --session ""', 'SESSION_ID_EMPTY'],
    ['run hi --turn @missing.yaml', 'FILE_ACCESS'],
    ['run hi --turn @broken.yaml', 'TURN_INVALID'],
    ['run hi --turn @unclosed.yaml', 'TURN_INVALID'],
    ['run --turn @answered.yaml', 'USAGE: The turn ends in nothing to answer'],
    ['run hi --script @missing.yaml', 'FILE_ACCESS'],
    [
      'run hi --script @wrong-script.yaml',
      'SCRIPT_INVALID: The script of the scripted engine cannot be used: in rule 1, reply.0.sing is not known.',
    ],
    ['run hi --engine openai', 'PROVIDER_KEY_MISSING: The engine openai needs a key: set OPENAI_API_KEY'],
    ['run hi --engine open-responses', 'set OPENAI_API_KEY'],
    ['run hi --engine claude', 'set ANTHROPIC_API_KEY'],
    ['run hi --engine gemini', 'set GEMINI_API_KEY'],
    ['run hi --engine openai --api-key-file @missing', 'FILE_ACCESS'],
    ['run hi --engine openai --api-key-file sk-secret', 'FILE_ACCESS: the file that --api-key-file names cannot be'],
    ['run hi --engine openai --api-key-file @empty', 'PROVIDER_KEY_MISSING'],
    ['run hi --engine openai --api-key-file @two-keys', 'USAGE: What is in the file'],
    ['run hi --engine openai --base-url nonsense', 'USAGE: --base-url must be an address'],
    ['run hi --engine openai --base-url ftp://example.com', 'USAGE: --base-url must be an address'],
    ['run hi --engine openai --base-url https://me:secret@example.com', 'PROVIDER_ADDRESS_REFUSED'],
    ['chat --turn -', 'USAGE: A chat reads its prompts from standard input'],
    ['serve --port 65536', 'USAGE: Option'],
    ['serve --while-running sleep', 'USAGE: Option'],
    ['serve --engine scripted --profiles @profiles.yaml', 'USAGE: Option'],
    ['serve --db postgres://localhost/chats', 'USAGE: A store in PostgreSQL comes with a later version'],
    ['serve --profiles @missing.yaml', 'FILE_ACCESS'],
    ['serve --profiles @broken.yaml', 'PROFILE_INVALID'],
    ['serve --tool nope', 'USAGE: There is no tool "nope"'],
    ['serve --host 0.0.0.0', 'USAGE: Others can reach 0.0.0.0, and nobody would have to say who they are'],
    ['serve --issuer https://id.example.com', 'USAGE: Tokens need all three of --jwks-url, --issuer and --audience'],
    ['serve --api-keys @two-keys', 'SETTINGS_INVALID'],
    ['serve --root chat', 'USAGE: --root takes a path such as /chat'],
    ['serve --allow-origin https://example.com/app', 'USAGE: --allow-origin takes an origin'],
    ['turn check', 'USAGE: Missing required argument'],
    ['turn show @missing.yaml', 'FILE_ACCESS'],
    ['turn show @broken.yaml', 'TURN_INVALID'],
    ['turn diff @answered.yaml @missing.yaml', 'FILE_ACCESS'],
    ['turn diff - -', 'USAGE: Standard input can be one of the two turns'],
  ]
  test.each(cases)('geppetto %s', async (line, says) => {
    const { exitCode, stdout, stderr } = await geppetto(line)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`geppetto: `)
    expect(stderr).toContain(says)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).not.toContain('secret')
  })

  test('no command at all prints the help as an error', async () => {
    const { exitCode, stdout, stderr } = await geppetto('')
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: geppetto')
  })
})

describe('help', () => {
  test.each(['', 'run', 'chat', 'serve', 'turn', 'turn check', 'turn show', 'turn diff'])(
    'of %j goes to standard output',
    async (name) => {
      const { exitCode, stdout, stderr } = await geppetto(`${name} --help`)
      expect([exitCode, stderr]).toEqual([0, ''])
      expect(stdout).toContain(`Usage: geppetto${name === '' ? '' : ` ${name}`}`)
    },
  )

  test('of run names every engine, tool and key', async () => {
    const { stdout } = await geppetto('run --help')
    const words = stdout.replaceAll(/\s+/g, ' ')
    for (const name of [...engineNames, ...toolNames, ...Object.values(keyVariables)]) expect(words).toContain(name)
    expect(words).toContain('Without it, nothing is kept')
  })
})

describe('run', () => {
  test('prints the answer and nothing else', async () => {
    expect(await geppetto('run "say it" --pace 0')).toEqual({ exitCode: 0, stdout: 'it\n', stderr: '' })
  })

  test('takes the prompt from standard input, without its last line break', async () => {
    expect((await geppetto('run --pace 0', { stdin: '\ufeffsay a\nb \r\n' })).stdout).toBe('a\nb \n')
  })

  test('makes one call without --tool, and the whole loop with it', async () => {
    expect((await geppetto('run "What is 17 * 23?" --pace 0')).stdout).toContain('no calculator')
    const { stdout, stderr } = await geppetto('run "What is 17 * 23?" --pace 0 --tool calculator')
    expect([stdout, stderr]).toEqual(['17 * 23 = 391\n', ''])
  })

  test('parts texts that belong together by a blank line', async () => {
    const { stdout } = await geppetto('run "The time in Europe/Paris and Asia/Tokyo?" --pace 0 --tool current_time')
    expect(stdout).toMatch(/^I will look at both clocks at once\.\n\nBoth clocks/)
  })

  test('prints each event as a line, with the session that was named', async () => {
    const { stdout } = await geppetto('run hello --pace 0 --output events --session s-1')
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.map((event) => event['ordinal'])).toEqual(events.map((_event, index) => index + 1))
    expect(new Set(events.map((event) => event['session_id']))).toEqual(new Set(['s-1']))
    expect([events[0]?.['type'], events.at(-1)?.['type']]).toEqual(['prompt-accepted', 'inference-finished'])
  })

  test('goes on with a session that is in the store, and keeps what it says', async () => {
    const db = join(folder, 'new', 'sessions.db')
    const first = await geppetto(`run "Say one" --pace 0 --session s-1 --db ${db}`)
    const second = await geppetto('run "Say two" --pace 0 --session s-1 -o json', { env: { GEPPETTO_DB: db } })
    const { blocks } = JSON.parse(second.stdout) as { blocks: readonly { payload: { text: string } }[] }
    expect([first.stdout, first.exitCode, second.exitCode]).toEqual(['one\n', 0, 0])
    expect(blocks.map(({ payload }) => payload.text)).toEqual(['Say one', 'one', 'Say two', 'two'])
  })

  test('begins a session with a turn, and does not put a turn over one that is there', async () => {
    const [db, turn] = [join(folder, 'begun.db'), join(folder, 'turn.json')]
    await writeFile(turn, JSON.stringify({ id: 't', blocks: [{ kind: 'user', payload: { text: 'Before' } }] }))
    const run = `run "Say two" --pace 0 --session s-1 --db ${db} --turn ${turn} -o json`
    const { blocks } = JSON.parse((await geppetto(run)).stdout) as { blocks: readonly { payload: { text: string } }[] }
    expect(blocks.map(({ payload }) => payload.text)).toEqual(['Before', 'Say two', 'two'])
    const again = await geppetto(run)
    expect([again.exitCode, again.stderr]).toEqual([2, expect.stringContaining('Session s-1 is in the store already')])
  })

  test('a session needs a prompt', async () => {
    const { exitCode, stderr } = await geppetto('run --session s-1')
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('There is no prompt for the session')])
  })

  test('prints the turn as JSON and as YAML, which both can be gone on from', async () => {
    const asJson = await geppetto('run "say one" --pace 0 --output json --system "Be brief."')
    const turn = JSON.parse(asJson.stdout) as { blocks: { kind: string }[]; metadata: Record<string, unknown> }
    expect(turn.blocks.map((block) => block.kind)).toEqual(['system', 'user', 'llm_text'])
    expect(turn.metadata['geppetto.inference_result@v1']).toMatchObject({
      finish_class: 'completed',
      provider: 'scripted',
      model: 'scripted-1',
    })
    const asYaml = await geppetto('run "say two" --pace 0 --output yaml --turn - --model m-2', { stdin: asJson.stdout })
    expect(asYaml.stdout).toContain('model: m-2')
    const shown = await geppetto('turn show -', { stdin: asYaml.stdout })
    expect(shown.stdout).toBe('system: Be brief.\nuser: say one\nassistant: one\nuser: say two\nassistant: two\n')
  })

  test('runs a turn that ends in a prompt as it is, in the session that it names', async () => {
    expect((await geppetto('run --turn @asked.yaml --pace 0')).stdout).toBe('yes\n')
    expect((await geppetto('run --turn @asked.yaml --pace 0 --output events')).stdout).toContain(
      '"session_id":"s-file"',
    )
    expect((await geppetto('run --turn @asked.yaml --pace 0 --output events --session other')).stdout).not.toContain(
      's-file',
    )
    const { stdout, stderr } = await geppetto('run --turn @old.yaml --pace 0')
    expect([stdout, stderr]).toEqual(['old\n', expect.stringContaining('run_id is the old name')])
  })

  test('prints the turn of a failed run too, with what there is of it', async () => {
    const { exitCode, stdout, stderr } = await geppetto('run hi --pace 0 --output json --script @fails.yaml')
    expect([exitCode, stderr]).toEqual([1, 'geppetto: PROVIDER_OVERLOADED: Too much to do.\n'])
    const turn = JSON.parse(stdout) as {
      blocks: { payload: object; metadata: object }[]
      metadata: Record<string, unknown>
    }
    expect(turn.blocks.at(-1)).toMatchObject({ payload: { text: 'Half' }, metadata: { 'geppetto.partial@v1': true } })
    expect(turn.metadata['geppetto.inference_result@v1']).toMatchObject({
      finish_class: 'error',
      error: { code: 'PROVIDER_OVERLOADED' },
    })
    expect((await geppetto('run hi --pace 0 --script @fails.yaml')).stdout).toBe('Half\n')
  })

  test('says what is to be known of an end that is no full answer', async () => {
    const { exitCode, stdout, stderr } = await geppetto('run hi --pace 0 --script @refuses.yaml')
    expect([exitCode, stdout, stderr]).toEqual([
      0,
      'I would rather not.\n',
      'geppetto: The model declined to answer.\n',
    ])
  })

  test('says which options mean nothing to the engine', async () => {
    const { stderr } = await geppetto('run "say it" --pace 0 --base-url http://localhost/v1')
    expect(stderr).toBe('geppetto: --base-url means nothing to the engine scripted; choose another with --engine.\n')
  })

  test('shows where an error came from when GEPPETTO_DEBUG is set', async () => {
    expect((await geppetto('run hi --engine nope', { env: { GEPPETTO_DEBUG: '1' } })).stderr).toMatch(/\n {4}at /)
  })
})

describe('on a terminal', () => {
  const shared: TerminalOptions = { terminal: ['stdout', 'stderr'] }

  test('reasoning and tools are shown beside the answer, dimmed, on standard error', async () => {
    const { stdout, stderr } = await geppetto('run "What is 17 * 23?" --pace 0 --tool calculator', shared)
    expect(stdout).toBe('17 * 23 = 391\n')
    expect(stderr).toContain('\u001b[2m--- Tool call: calculator {"expression":"17 * 23"}\u001b[22m')
    expect(stderr).toContain('--- Thinking started ---')
  })

  const plain: readonly (readonly [how: string, flags: string, env: Record<string, string>])[] = [
    ['with --no-color', '--no-color', {}],
    ['with NO_COLOR', '', { NO_COLOR: '1' }],
    ['on a terminal that is dumb', '', { TERM: 'dumb' }],
  ]
  test.each(plain)('there is no colour %s', async (_how, flags, env) => {
    const { stdout, stderr } = await geppetto(`run "What is 17 * 23?" --pace 0 --tool calculator ${flags}`, {
      ...shared,
      env,
    })
    expect(stderr).toContain('--- Tool call: calculator')
    expect(stdout + stderr).not.toContain('\u001b')
  })

  test('what a model says does not steer it; a file gets it as it is', async () => {
    expect((await geppetto('run hi --pace 0 --script @steers.yaml', shared)).stdout).toBe('a\ufffd[31mbc\n')
    expect((await geppetto('run hi --pace 0 --script @steers.yaml')).stdout).toBe('a\u001b[31mb\rc\n')
  })

  test('Ctrl-C prints the partial turn, with --output json too', async () => {
    const others = process.listeners('SIGINT')
    let isPressed = false
    const onNote = (stderr: string) => {
      if (isPressed || !stderr.includes('about 2 tokens')) return
      isPressed = true
      for (const listener of process.listeners('SIGINT')) if (!others.includes(listener)) listener('SIGINT')
    }
    const { exitCode, stdout, stderr } = await geppetto('run hi --pace 0 --output json --script @endless.yaml', {
      terminal: ['stderr'],
      onNote,
    })
    const turn = JSON.parse(stdout) as { blocks: object[]; metadata: Record<string, unknown> }
    expect([exitCode, turn.blocks.at(-1)]).toMatchObject([
      130,
      { payload: { text: 'So far' }, metadata: { 'geppetto.partial@v1': true } },
    ])
    expect(turn.metadata['geppetto.inference_result@v1']).toMatchObject({ finish_class: 'interrupted' })
    expect(stderr).toMatch(/\r\u001b\[2Kgeppetto: INFERENCE_CANCELLED: .*SIGINT\.\n$/)
    expect(process.listeners('SIGINT')).toEqual(others)
  })

  test('a document gets no tool lines', async () => {
    const { stderr } = await geppetto('run "What is 17 * 23?" --pace 0 --tool calculator --output yaml', shared)
    expect(stderr).toBe('')
  })
})

describe('chat', () => {
  test.each(['', ' --session told'])('a person is in ends when the process is told to%s', async (more) => {
    const told = (event: string | symbol) => {
      if (event === 'SIGTERM') queueMicrotask(() => process.emit('SIGTERM', 'SIGTERM'))
    }
    process.on('newListener', told)
    const stdin = 'Tell me a long story.\nsay never\n'
    const { exitCode, stdout } = await geppetto(`chat${more}`, { stdin, terminal: ['stdin'] })
    process.off('newListener', told)
    expect([exitCode, stdout]).toEqual([130, expect.not.stringContaining('never')])
  })

  test('answers each line that is piped in, and remembers', async () => {
    const stdin = 'say one\n\n//slash\n/tools\n/show\n/exit\nsay never\n'
    const { exitCode, stdout, stderr } = await geppetto('chat --pace 0 --tool calculator --system Brief.', { stdin })
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      ['one', 'You wrote: /slash', '', 'I am the scripted engine and have no rule for that.'].join('\n') +
        '\nsystem: Brief.\nuser: say one\nassistant: one\nuser: /slash\nassistant: You wrote: /slash\n\nI am the scripted engine and have no rule for that.\n',
    )
    expect(stderr).toBe('The model may call calculator. There is also current_time: start with --tool NAME.\n')
  })

  test('keeps the conversation in a file, which can be gone on from', async () => {
    const file = join(folder, 'chat.yaml')
    expect((await geppetto('chat --pace 0', { stdin: `say one\n/save ${file}\n` })).stderr).toBe(
      `geppetto: The conversation is in ${file}.\n`,
    )
    expect(await readFile(file, 'utf8')).toContain('text: one')
    expect((await geppetto(`chat --pace 0 --turn ${file}`, { stdin: '/show' })).stdout).toBe(
      'user: say one\nassistant: one\n',
    )
  })

  test('goes on after a command that cannot be done, and after an answer that failed', async () => {
    const stdin = '/nope\n/save\n/save /no/such/folder/file\nhi\nhi'
    const { exitCode, stdout, stderr } = await geppetto('chat --pace 0 --script @fails.yaml', { stdin })
    expect([exitCode, stdout]).toEqual([1, 'Half\nHalf\n'])
    expect(stderr.split('\n').map((line) => line.split(':')[1]?.trim())).toEqual([
      'USAGE',
      'USAGE',
      'FILE_ACCESS',
      'PROVIDER_OVERLOADED',
      'PROVIDER_OVERLOADED',
      undefined,
    ])
  })

  test('says on a terminal who answers', async () => {
    const { stderr } = await geppetto('chat --pace 0', {
      stdin: '/help\n/exit\n',
      terminal: ['stdin', 'stdout', 'stderr'],
    })
    expect(stderr).toContain('scripted-1 (scripted). /help says what else there is')
    expect(stderr).toContain('/save FILE')
  })
})

describe('turn', () => {
  test('check prints a line for each finding, and nothing for a file without any', async () => {
    const { exitCode, stdout } = await geppetto('turn check @answered.yaml @old.yaml')
    expect([exitCode, stdout]).toEqual([
      0,
      `${join(folder, 'old.yaml')}: warning $.run_id run_id is the old name of the session id; write it as metadata "geppetto.session_id@v1"\n`,
    ])
  })

  test('check ends with 1 for what is no turn, and with 2 for what cannot be read, but looks at all', async () => {
    const broken = await geppetto('turn check @broken.yaml @old.yaml')
    expect([broken.exitCode, broken.stdout.split('\n')]).toEqual([
      1,
      [expect.stringMatching(/: error \$\.blocks /), expect.stringContaining(': warning $.run_id'), ''],
    ])
    const missing = await geppetto('turn check @missing.yaml @broken.yaml')
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining('FILE_ACCESS')])
    expect(missing.stdout).toContain(': error $.blocks')
  })

  test('show converts', async () => {
    const json = await geppetto('turn show @answered.yaml --output json')
    const yaml = await geppetto('turn show - --output yaml', { stdin: json.stdout })
    expect((await geppetto('turn diff @answered.yaml -', { stdin: yaml.stdout })).exitCode).toBe(0)
  })

  test('diff shows what differs, and folds what does not', async () => {
    const after =
      'blocks:\n- {kind: user, role: user, payload: {text: Hello}}\n- {id: b2, kind: llm_text, payload: {text: Bye.}}\n- {kind: user, payload: {text: New}}\ndata: {x.y@v1: 1}\n'
    const { exitCode, stdout } = await geppetto('turn diff @answered.yaml -', { stdin: after })
    expect([exitCode, stdout]).toEqual([
      1,
      [
        '  1 block is the same',
        '~ [1] → [1] llm_text: payload.text',
        '-   assistant: Hi.',
        '+   assistant: Bye.',
        '+ [2] user: New',
        '~ data x.y@v1',
        '',
      ].join('\n'),
    ])
  })

  test('diff is coloured on a terminal alone', async () => {
    const stdin = files['asked.yaml'] ?? ''
    const line = 'turn diff @answered.yaml -'
    expect((await geppetto(line, { stdin, terminal: ['stdout'] })).stdout).toContain('\u001b[31m- ')
    expect((await geppetto(`${line} --no-color`, { stdin, terminal: ['stdout'] })).stdout).not.toContain('\u001b')
  })
})
