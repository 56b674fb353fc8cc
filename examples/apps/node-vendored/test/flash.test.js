import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flash } from 'lighthouse'

test('the light flashes', () => assert.match(flash(), /^flashes/))
