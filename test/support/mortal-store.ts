import type { Store } from '../../src/store/store.ts'
import { forEver } from './event-engine.ts'

/** A store whose user can die: then it is given no answer, and hears nothing, any more. */
export function mortalStore(store: Store, life: { readonly isDead: boolean }): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (life.isDead) return name === 'watch' ? () => {} : forEver()
        return Reflect.apply(member, target, given) as unknown
      }
    },
  })
}
