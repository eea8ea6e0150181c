import { expect, test } from 'vitest'
import { candidate, chunk, eventsOf, read } from '../../../test/support/gemini-replies.ts'

const a = { web: { uri: 'https://a.example/', title: 'A', domain: 'a.example' } }
const b = { retrievedContext: { uri: 'gs://b', title: 'B', text: '…' } }
const c = { maps: { uri: 'https://maps.example/c', title: 'C', placeId: 'places/c' } }
const d = { image: { sourceUri: 'https://d.example/', imageUri: 'https://d.example/d.png', title: 'D' } }

async function cited(...messages: readonly object[]) {
  const { events, result } = await read(messages)
  const citations = eventsOf(events, 'citation').map(
    ({ url, title, citedText, startIndex, endIndex }) =>
      JSON.parse(JSON.stringify({ url, title, citedText, startIndex, endIndex })) as unknown,
  )
  return { citations, events, extra: result?.extra }
}

test('sources are cited at the places that rest on them, and the others without one', async () => {
  const groundingMetadata = {
    groundingChunks: [a, b, c, d, { novel: {} }, 'no'],
    groundingSupports: [
      { segment: { endIndex: 12, text: 'Größe 😀' }, groundingChunkIndices: [0, 1] },
      { segment: { startIndex: 12, endIndex: 15, text: 'ist' }, groundingChunkIndices: [0, 7, 4, 'x'] },
      { segment: { startIndex: 0, endIndex: 3, text: 'elsewhere' }, groundingChunkIndices: [1] },
      { segment: { startIndex: 900, endIndex: 990 }, groundingChunkIndices: [1] },
    ],
  }
  const { citations, extra } = await cited(
    chunk([{ text: 'Hm', thought: true }, { text: 'Größe ' }]),
    chunk([{ text: '😀 ist' }]),
    candidate({ finishReason: 'STOP', groundingMetadata }),
  )
  const [sourceA, sourceB] = [
    { url: 'https://a.example/', title: 'A' },
    { url: 'gs://b', title: 'B' },
  ]
  expect(citations).toEqual([
    { ...sourceA, citedText: 'Größe 😀', startIndex: 0, endIndex: 8 },
    { ...sourceB, citedText: 'Größe 😀', startIndex: 0, endIndex: 8 },
    { ...sourceA, citedText: 'ist' },
    { ...sourceB, citedText: 'elsewhere' },
    sourceB,
    { url: 'https://maps.example/c', title: 'C' },
    { url: 'https://d.example/', title: 'D' },
  ])
  expect(extra).toEqual({ grounding_metadata: groundingMetadata })
})

test('what is repeated in each chunk is cited once, and each search is told once', async () => {
  const first = { webSearchQueries: ['x'], searchEntryPoint: { renderedContent: '<p>' } }
  const second = { webSearchQueries: ['x', 'y'], groundingChunks: [a] }
  const { citations, events, extra } = await cited(
    { candidates: [{ content: { parts: [{ text: 'Hi' }] }, groundingMetadata: first }] },
    { candidates: [{ content: { parts: [{ text: '!' }] }, groundingMetadata: second }] },
    candidate({ finishReason: 'STOP', groundingMetadata: { groundingChunks: [a, a] } }),
  )
  expect(citations).toEqual([{ url: 'https://a.example/', title: 'A' }])
  expect(eventsOf(events, 'web-search-started').map(({ query }) => query)).toEqual(['x', 'y'])
  expect(eventsOf(events, 'web-search-done')).toHaveLength(2)
  expect(extra).toEqual({ grounding_metadata: { ...first, ...second, groundingChunks: [a, a] } })
})

test.each(['citationSources', 'citations'])('quoted works, as %s', async (field) => {
  const works = [
    { startIndex: 3, endIndex: 5, uri: 'https://e.example/', license: 'mit' },
    { startIndex: 0, endIndex: 2, title: 'A book' },
    { startIndex: 0, endIndex: 9 },
  ]
  const { citations } = await cited({
    candidates: [
      { content: { parts: [{ text: 'ä quo' }] }, finishReason: 'STOP', citationMetadata: { [field]: works } },
    ],
  })
  expect(citations).toEqual([
    { url: 'https://e.example/', startIndex: 2, endIndex: 4 },
    { title: 'A book', startIndex: 0, endIndex: 1 },
  ])
})

test('links that were fetched', async () => {
  const urlMetadata = [
    { retrievedUrl: 'https://a.example/', urlRetrievalStatus: 'URL_RETRIEVAL_STATUS_SUCCESS' },
    { retrievedUrl: 'https://b.example/', urlRetrievalStatus: 'URL_RETRIEVAL_STATUS_ERROR' },
    { retrievedUrl: 'https://c.example/' },
  ]
  const { citations, extra } = await cited(
    chunk([{ text: 'Hi' }]),
    candidate({ finishReason: 'STOP', urlContextMetadata: { urlMetadata } }),
  )
  expect(citations).toEqual([{ url: 'https://a.example/' }, { url: 'https://c.example/' }])
  expect(extra).toEqual({ url_context_metadata: { urlMetadata } })
})
