/** Why a projection makes a repair of each kind, for people who wonder. A kind that is not here has its detail alone. */
const reasons: Readonly<Record<string, string>> = {
  'edited-block': 'What the provider had sealed says something else by now, so it goes out in plain form.',
  'empty-block': 'Providers refuse messages in which nothing is said.',
  'foreign-image': 'The image is a file that another provider holds.',
  'foreign-item': 'The item is in the form of another provider, and no other can read it.',
  'foreign-reasoning': 'Reasoning is sealed by the provider that wrote it, and no other takes it back.',
  'invalid-arguments': 'The model wrote arguments that are no JSON object, and providers take nothing else back.',
  'invalid-image': 'The image is none that can be sent.',
  'lone-surrogate': 'Half of a character is no text that JSON can carry.',
  'moved-tool-result': 'Providers want results directly behind the calls that they answer.',
  'orphan-tool-call': 'Providers refuse a tool call that has no result.',
  'orphan-tool-result': 'Providers refuse a result of a call that is not there.',
  'orphan-server-tool': 'Providers refuse half of what a tool of theirs did.',
  'partial-reasoning': 'Reasoning that was cut off has no seal, and is refused without one.',
  'renamed-tool': 'The name is of a shape that the provider does not take.',
  'renamed-tool-call': 'The id is of a shape that the provider does not take, or is another call’s too.',
  'thinking-paused': 'The turn holds calls that were made without thinking, and the provider does not mix the two.',
  'undeclared-tools':
    'The turn holds calls of tools that are not on offer, and the provider wants to know each of them.',
  'unknown-block': 'The provider has no form for a block of this kind.',
  'unsealed-reasoning': 'Reasoning without the seal of its provider is refused.',
  'unsendable-item': 'The item is one that the provider gives and does not take back.',
  'unsigned-reasoning': 'Reasoning without the signature of its provider is refused.',
  'unsupported-image': 'The provider takes no image of this kind, or not in this place.',
}

export function repairReason(repair: string): string | undefined {
  return reasons[repair]
}
