import {
  assistantText,
  blockMeta,
  createTurn,
  KeyDecodeError,
  turnData,
  turnFromText,
  turnMeta,
  turnToYaml,
  userText,
} from 'geppetto'
import * as z from 'zod'

// A key is a name with a version and a schema. Its family says where its values lie.
const author = turnMeta('shop', 'author', 1, z.object({ id: z.string(), name: z.string() }))
const basket = turnData('shop', 'basket', 1, z.array(z.string()))
const rating = blockMeta('shop', 'rating', 1, z.number().int().min(1).max(5))

const answer = rating.set(assistantText('We have two.'), 4)
const turn = basket.set(
  author.set(createTurn([userText('Any red shoes?'), answer], 'turn-1'), { id: 'u7', name: 'Ada' }),
  ['hat'],
)

const file = turnToYaml(turn)
const loaded = turnFromText(file)
console.log(author.get(loaded)?.name, basket.get(loaded), rating.get(answer))

// Missing is undefined; there but wrong is an error that says where and why.
console.log(author.get(createTurn()))
try {
  author.get({ ...turn, metadata: { 'shop.author@v1': { id: 7 } } })
} catch (error) {
  console.log(error instanceof KeyDecodeError && error.message)
}
