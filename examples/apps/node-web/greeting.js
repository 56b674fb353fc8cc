'use strict'

const GREETINGS = { en: 'Good morning', de: 'Guten Morgen', fr: 'Bonjour' }
const LANGUAGES = Object.keys(GREETINGS)

function greet(language, name) {
  return `${GREETINGS[language]}, ${name}!`
}

module.exports = { LANGUAGES, greet }
