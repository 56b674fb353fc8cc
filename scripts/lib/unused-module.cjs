// Takes the place of modules in a bundle whose importers load them at once and never use them.
module.exports = {}
