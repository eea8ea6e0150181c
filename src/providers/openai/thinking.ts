import { GeppettoError } from '../../errors.ts'
import type { CallSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import type { Vendor } from './vendors.ts'

export interface Thinking {
  readonly fields: JsonObject
  /** Whether thinking was turned on, which forbids sampling settings. */
  readonly isOn: boolean
  readonly warnings: readonly string[]
}

/**
 * How much the model thinks, in the vendor's own fields. `auto` leaves it to the vendor. Throws SETTINGS_INVALID for
 * another `thinking_type` than `enabled`, `disabled` and `auto`.
 */
export function thinkingOf({ inference }: CallSettings, vendor: Vendor): Thinking {
  const type = inference.thinking_type?.trim().toLowerCase() ?? ''
  if (!['', 'auto', 'enabled', 'disabled'].includes(type)) {
    throw new GeppettoError(
      'SETTINGS_INVALID',
      `unsupported openai chat thinking_type ${JSON.stringify(inference.thinking_type)}: use "enabled", "disabled" or "auto".`,
    )
  }
  const isSwitched = type === 'enabled' || type === 'disabled'
  const isOn = type === 'enabled'
  const effort = inference.reasoning_effort
  const budget = inference.thinking_budget
  const effortField = effort === undefined ? {} : { reasoning_effort: effort }
  switch (vendor.thinking) {
    case 'thinking': {
      const isEffortLeft = vendor.thinkingOrEffort === true && isSwitched && effort !== undefined
      return {
        fields: { ...(!isEffortLeft && effortField), ...(isSwitched && { thinking: { type } }) },
        isOn,
        warnings: [
          ...(isEffortLeft ? [`reasoning_effort left out: ${vendor.name} refuses it beside thinking_type`] : []),
          ...(budget === undefined ? [] : ['thinking_budget left out: Chat Completions have none']),
        ],
      }
    }
    case 'enable_thinking': {
      const fields = {
        ...(isSwitched && { enable_thinking: isOn }),
        ...(budget !== undefined && { thinking_budget: budget }),
      }
      return { fields: { ...effortField, ...fields }, isOn, warnings: [] }
    }
    case 'reasoning': {
      // "One of the following (not both)": an effort or a number of tokens. openrouter.ai/docs/use-cases/reasoning-tokens
      const amount = budget !== undefined ? { max_tokens: budget } : effort === undefined ? {} : { effort }
      const reasoning = { ...amount, ...(isSwitched && { enabled: isOn }) }
      const isBoth = budget !== undefined && effort !== undefined
      return {
        fields: Object.keys(reasoning).length === 0 ? {} : { reasoning },
        isOn,
        warnings: isBoth ? ['reasoning_effort left out: OpenRouter takes it or thinking_budget, not both'] : [],
      }
    }
  }
}
