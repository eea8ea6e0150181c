import { useEffect, useRef } from 'react'

/**
 * A formula, as MathML: browsers draw it without fonts and styles of their own. Until what reads it is loaded, and where it cannot
 * be read, its source is shown.
 */
export function Formula({ text, isDisplay }: { readonly text: string; readonly isDisplay: boolean }) {
  const place = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    let isGone = false
    void import('katex').then(({ default: katex }) => {
      if (isGone || place.current === null) return
      katex.render(text, place.current, { output: 'mathml', displayMode: isDisplay, throwOnError: false, trust: false })
    })
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
