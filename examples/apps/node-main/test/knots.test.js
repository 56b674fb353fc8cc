const assert = require('node:assert/strict')
const { test } = require('node:test')
const { toKilometres } = require('knots')

test('a knot is a nautical mile in an hour', () => assert.equal(toKilometres(100), 185.2))
