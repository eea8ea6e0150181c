export { isJsonObject, type Json, type JsonObject } from '../../../src/json.ts'
