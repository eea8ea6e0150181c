import { useEffect, useRef } from 'react'

/**
 * A formula, as MathML: browsers draw it without fonts and styles of their own. Until what reads it is loaded, and where it cannot
 * be read, its source is shown.
 */
export function Formula({ text, isDisplay }: { readonly text: string; readonly isDisplay: boolean }) {
  const place = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    let isGone = false
    const options = { output: 'mathml', displayMode: isDisplay, throwOnError: false, trust: false } as const
    const draw = async () => {
      const { default: katex } = await import('katex')
      if (!isGone && place.current !== null) katex.render(text, place.current, options)
    }
    draw().catch(() => {}) // its source is there
    return () => {
      isGone = true
    }
  }, [text, isDisplay])
  // What is drawn replaces the source: React must not keep the text of another formula in this place.
  return (
    <span key={text} ref={place} className={isDisplay ? 'formula display' : 'formula'}>
      {text}
    </span>
  )
}
