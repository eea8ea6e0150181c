/** What the scripted engine says when it is given no script of its own: a bit of everything that an engine can do. */
export const defaultScript = String.raw`
# Say exactly what I say.
- name: say
  when: '^\s*(?:please\s+)?(?:say|echo|repeat(?:\s+after\s+me)?)(?::\s*|\s+)(?<text>\S[^]*)$'
  reply:
    - text: '{{text}}'

# Call any tool that is on offer: call weather {"city": "Paris"}
- name: call a tool
  when: '^\s*call\s+(?<name>[\w-]+)\s*(?<input>\{[^]*\})?\s*$'
  reply:
    - tool_call: {name: '{{name}}', args: '{{input}}'}

# What tools have answered.
- name: a tool failed
  tool_result: true
  failed: true
  reply:
    - text: 'The tool {{tool}} failed: {{error}}'
- name: two times
  when: &two_zones '\btime\b.*?\b(?<first>(?:africa|america|asia|australia|europe|pacific)/\w+).*?\b(?<second>(?:africa|america|asia|australia|europe|pacific)/\w+)'
  tool_result: current_time
  reply:
    - text: "Both clocks have answered:\n\n{{results}}"
- name: sum
  tool_result: calculator
  reply:
    - reasoning: The calculator has answered; I only have to say it.
    - text: '{{args.expression}} = {{result}}'
- name: time
  tool_result: current_time
  reply:
    - text: 'It is {{result.local}}.'
- name: any tool
  tool_result: true
  reply:
    - text: 'The tool {{tool}} answered: {{result}}'

# What is long is not searched any further.
- name: long prompt
  when: '^(?<beginning>[^]{400})[^]{1600}'
  reply:
    - text: "You sent me a long message. It begins:\n\n{{beginning}}…\n\nI am the scripted engine and have no rule for it."

# Arithmetic. Dates and ranges are none, unless they are asked for.
- name: arithmetic
  when: &arithmetic '(?<![\w.,/(-])(?<expression>-?[(]*\d+(?:\.\d+)?[)]*(?:(?:\s*(?:\*\*|[+*%])\s*|\s+[-/]\s+)[(]*-?\d+(?:\.\d+)?[)]*)+)(?!\w)'
  reply: &calculate
    - reasoning: 'The prompt asks for {{expression}}. I am bad at arithmetic and have a calculator, so I will use it.'
    - tool_call: {name: calculator, args: {expression: '{{expression}}'}}
- name: arithmetic that is asked for
  when: &asked_arithmetic '(?:what\s+is|what''s|how\s+much\s+is|calculate|compute|^)\s*(?<expression>-?[(]*\d+(?:\.\d+)?[)]*(?:\s*[-/]\s*[(]*\d+(?:\.\d+)?[)]*)+)(?:\s*[?=.]|\s*$)'
  reply: *calculate
- name: times
  when: &times '(?<![\w.])(?<left>\d+(?:\.\d+)?)\s+(?:times|multiplied\s+by|x)\s+(?<right>\d+(?:\.\d+)?)'
  reply:
    - tool_call: {name: calculator, args: {expression: '{{left}} * {{right}}'}}
- name: plus
  when: '(?<![\w.])(?<left>\d+(?:\.\d+)?)\s+plus\s+(?<right>\d+(?:\.\d+)?)'
  reply:
    - tool_call: {name: calculator, args: {expression: '{{left}} + {{right}}'}}
- name: minus
  when: '(?<![\w.])(?<left>\d+(?:\.\d+)?)\s+minus\s+(?<right>\d+(?:\.\d+)?)'
  reply:
    - tool_call: {name: calculator, args: {expression: '{{left}} - {{right}}'}}
- name: divided by
  when: '(?<![\w.])(?<left>\d+(?:\.\d+)?)\s+divided\s+by\s+(?<right>\d+(?:\.\d+)?)'
  reply:
    - tool_call: {name: calculator, args: {expression: '{{left}} / {{right}}'}}
- name: arithmetic without a calculator
  when: *arithmetic
  reply: &no_calculator
    - text: 'I have no calculator here, so I do not work out {{expression}}. Offer me one (the tool "calculator") and ask again.'
- name: asked arithmetic without a calculator
  when: *asked_arithmetic
  reply: *no_calculator

# The time.
- name: two clocks
  when: *two_zones
  reply:
    - text: I will look at both clocks at once.
    - tool_call: {name: current_time, args: {time_zone: '{{first}}'}}
    - tool_call: {name: current_time, args: {time_zone: '{{second}}'}}
- name: clock of a time zone
  when: '\b(?:time|date|day)\b.*?\b(?<zone>(?:africa|america|asia|australia|europe|pacific)/\w+)'
  reply:
    - tool_call: {name: current_time, args: {time_zone: '{{zone}}'}}
- name: clock
  when: &clock '\bwhat\s+(?:time|date|day)\b|\bcurrent\s+(?:time|date)\b|\b(?:what|tell)\b[^.?]*\bthe\s+(?:time|date)\b'
  reply:
    - reasoning: I do not know what time it is, but I have a clock.
    - tool_call: {name: current_time, args: {}}
- name: no clock
  when: *clock
  reply:
    - text: I have no clock here, so I do not know what time it is. Offer me one (the tool "current_time") and ask again.

# Text to watch as it streams.
- name: long story
  when: '\blong\b.*\bstory\b|\bstory\b.*\blong\b'
  reply:
    - reasoning: A long story is wished for. It should be about wood, since my name is.
    - text: |-
        # The Puppet Who Kept the Ledger

        In a town between two rivers there lived a carpenter who built puppets and sold very few of them. They were good puppets, but they forgot everything. Each morning they asked who they were, and each morning he told them, until one winter he grew tired of telling and carved a puppet with a drawer in its chest.

        "Whatever happens to you," he said, "write it on a slip of paper, and put the slip into the drawer. Put it behind all the others. Never take one out, and never write on one twice."

        The puppet did as it was told. It wrote down the bell in the morning and the cat on the stairs. It wrote down the customers and what they asked, and the answers that it gave. When it had finished a day there was no diary in the drawer, only slips, one behind the other, and every one of them as small as the thing that had happened.

        One night the workshop caught fire. The carpenter carried out his tools, and a neighbour carried out the puppet, which had lost an arm, both eyes and all that it knew. They laid it on the snow. In the morning the carpenter gave it new eyes, opened the drawer, and let it read from the first slip to the last. It read of the bell and the cat and the customers. It read of the smell of smoke, and there the slips ended.

        "I know who I am," said the puppet, "and I know what I do not know. Between the smoke and the snow there is nothing, and I will not make anything up."

        People heard of it and came from both sides of both rivers. They had seen puppets that danced better, and many that told finer stories. But when two of them had quarrelled over what had been said at a table, they walked up the hill, and the puppet read to them from its drawer, slowly and in order, and nobody had to believe it, because everybody could look.

        The carpenter became neither rich nor famous. Yet he slept well, which he had not done in years; and above his bench he hung a board on which he had burnt, in very small letters, the whole of his craft: *write it down, then show it.*
- name: story
  when: '\bstory\b'
  reply:
    - text: A carpenter carved a puppet that forgot everything. So he gave it a drawer, and it put into the drawer a slip of paper for each thing that happened. When it lost its head one day, it read the slips, and was itself again.
- name: code
  when: '\b(?:code|function|program|snippet)\b'
  reply:
    - text: |-
        Here is a small function:

        ${'```'}ts
        export function greet(name: string): string {
          return ${'`Hello, ${name}!`'}
        }
        ${'```'}

        It greets whoever you name.
- name: table
  when: '\btable\b'
  reply:
    - text: |-
        | engine | key | network |
        | --- | --- | --- |
        | scripted | no | no |
        | openai | yes | yes |
        | anthropic | yes | yes |
        | gemini | yes | yes |
- name: list
  when: '\blist\b|\bbullet'
  reply:
    - text: |-
        Three things that I can do:

        - stream **text** and *reasoning*, word by word
        - call the tools that you offer me
        - stop at once when you cancel
- name: markdown
  when: '\bmarkdown\b'
  reply:
    - text: |-
        ## Markdown

        A paragraph with **strong** and *emphasised* words and some ${'`code`'}.

        1. first
        2. second

        > A quotation.

        ${'```'}json
        {"ok": true}
        ${'```'}

        | column | value |
        | --- | --- |
        | a | 1 |

# Conversation.
- name: who are you
  when: '\bwho\s+are\s+you\b|\bwhat\s+are\s+you\b|\bwhat\s+can\s+you\s+do\b|^\s*help\W*$'
  reply:
    - text: |-
        I am the scripted engine: no model, only rules, so I need neither a key nor a network and always answer alike. Try:

        - What is 17 * 23? (with the tool "calculator")
        - What time is it in Europe/Paris? (with the tool "current_time")
        - Tell me a long story.
        - Show me a list, a table, some code.
        - Say anything.
- name: greeting
  when: '^\s*(?:hello|hi|hey|good\s+(?:morning|afternoon|evening))\b'
  reply:
    - text: Hello! I am the scripted engine of Geppetto. Ask me what I can do.
- name: thanks
  when: '\bthank(?:s|\s+you)\b'
  reply:
    - text: You are welcome.
- name: nothing
  when: '^\s*$'
  reply:
    - text: There was no text in your message, so I have nothing to answer.
- name: think
  when: '\bthink\b|\breason\b|\bstep\s+by\s+step\b'
  reply:
    - reasoning: "I was asked to think about this:\n\n{{prompt}}\n\nI have rules, and none of them is about it. So the honest answer is to say what I was asked, and that I can do no more."
    - text: "I thought about it. You wrote:\n\n{{prompt}}\n\nI am the scripted engine and have no rule for that; another engine will know more."
- name: question
  when: '\?\s*$'
  reply:
    - reasoning: This is a question, and none of my rules is about it.
    - text: "You asked: {{prompt}}\n\nI am the scripted engine and do not know; another engine will."
- name: anything
  reply:
    - text: "You wrote: {{prompt}}\n\nI am the scripted engine and have no rule for that."
`
