/**
 * The Stager API for stagers in Node.js, 16 or later: see docs/stager-library.md.
 *
 *   import { run } from './stager.mjs'
 *
 *   await run(async (stager) => {
 *     await stager.getData('/tmp/app')
 *     ...
 *     await stager.finish()
 *   })
 *
 * It needs tar and gzip. To run commands in /stagerfs as another user than root, it needs sudo, and the chroot of
 * coreutils.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import http from 'node:http'
import { constants, tmpdir } from 'node:os'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { pipeline } from 'node:stream'
import { promisify } from 'node:util'

/** Ends the stager with its sentence, unless it is caught. */
export class StagerError extends Error {}

/** A request was refused: `status` and `sentence` are those of the answer. */
export class Refused extends StagerError {
  constructor(request, status, sentence) {
    super(`${request} was refused with ${status}: ${sentence}`)
    this.status = status
    this.sentence = sentence
  }
}

export class CommandFailed extends StagerError {
  constructor(command, exitCode) {
    super(`"${command.join(' ')}" ended with exit code ${exitCode}.`)
    this.exitCode = exitCode
  }
}

/** Runs main(stager), and posts `failed` when it ends without a verdict. Does not return. */
export async function run(main) {
  const url = process.env.STAGER_URL
  if (!url) {
    console.log('STAGER_URL is not set: this is a stager, and only stagerd starts it.')
    process.exit(1)
  }
  const stager = new Stager(url)
  const noVerdict = 'The stager ended without a verdict: end it with finish, fail or relaunchWith.'
  // Node.js ends a program that waits for what never comes.
  process.once('beforeExit', () => void stager.fail(noVerdict))
  try {
    await main(stager)
    console.log(noVerdict)
  } catch (error) {
    console.log(error instanceof StagerError ? error.message : error)
  }
  await stager.postFailed()
  process.exit(1)
}

export class Stager {
  constructor(url) {
    this.url = url
  }

  // --- Output and verdicts ---

  /** A heading in the log. */
  say(text) {
    console.log(`-----> ${text}`)
  }

  /** The staging fails, with this sentence in its log. */
  async fail(sentence) {
    console.log(sentence)
    await this.postFailed()
    process.exit(1)
  }

  /** The staging goes on with the next stager, and the data and metadata of the package are kept. */
  async finish() {
    await this.#request('POST', 'done')
    process.exit(0)
  }

  /** Starts this stager again, with the current dependencies and environment of the package. */
  async relaunch() {
    await this.#request('POST', 'relaunch')
    process.exit(0)
  }

  /**
   * Adds those dependencies that the package lacks, and starts this stager again with them: the root of a running
   * container cannot change. Returns if the package has all of them, and if the relaunch would change nothing, because
   * what this stager expects has them already.
   */
  async relaunchWith(...capabilities) {
    const present = await this.metaDependencies()
    const missing = capabilities.filter((capability) => !present.includes(capability))
    if (missing.length === 0) return
    await this.addDependencies(...missing)
    const answer = await this.#request('POST', 'relaunch', { query: [['if', 'needed']] })
    if (answer !== 'NOT NEEDED') process.exit(0)
  }

  async postFailed() {
    try {
      await this.#request('POST', 'failed')
    } catch (error) {
      // Another verdict or a limit was first: the log of the staging has it.
      if (error.status !== 452) console.log(error.message)
    }
  }

  // --- Data ---

  /**
   * Unpacks the data of the package into a directory. What an earlier stager packed below app/, and what the user
   * uploaded without a prefix, looks the same here: the application is in the directory itself.
   */
  async getData(directory) {
    await inTemporary(async (temporary) => {
      const archive = join(temporary, 'data.tar.gz')
      await this.#request('GET', 'data', { save: archive })
      const names = execute(['tar', '-tzf', archive], 'pipe').stdout.toString('latin1').trim().split('\n')
      // A file that is named app is no prefix.
      const strip = names.every((name) => name.startsWith('app/')) ? ['--strip-components=1'] : []
      own(directory)
      if (execute(['tar', '-xzf', archive, '-C', directory, ...strip]).status !== 0)
        throw new StagerError(`The data of the package cannot be unpacked into ${directory}.`)
    })
  }

  /**
   * Replaces the data of the package by these files and directories of `directory`, or by all that it contains. The
   * directory stands for the root of the package: an application is in its directory app.
   */
  async putData(directory, ...paths) {
    // The names of the entries have no "./", and the root directory is not among them.
    const names = (paths.length > 0 ? paths : ['.']).flatMap((path) => {
      const name = posix.join('/', path).replace(/^\/|\/$/g, '')
      return name === '' ? fs.readdirSync(directory) : [name]
    })
    if (names.length === 0) throw new StagerError(`There is nothing to upload in ${directory}.`)
    const isGnu = execute(['tar', '--version'], 'pipe').stdout.includes('GNU')
    const options = isGnu ? ['--sort=name', '--numeric-owner'] : []
    // As root, because a command that ran as root may have left files that only root can read.
    const tar = asRoot('tar', '-czf', '-', ...options, '-C', directory, '--', ...names)
    await inTemporary(async (temporary) => {
      const upload = join(temporary, 'data.tar.gz')
      const file = fs.openSync(upload, 'w')
      const { status } = execute(tar, file)
      fs.closeSync(file)
      if (status !== 0) throw new StagerError(`${directory} cannot be packed.`)
      const sha256 = createHash('sha256')
      for await (const piece of fs.createReadStream(upload)) sha256.update(piece)
      await this.#request('POST', 'data', { query: [['sha256', sha256.digest('hex')]], upload })
    })
  }

  /** Replaces the data of the package by what this stager changed in its own filesystem. */
  async snapshot({ directory, exclude = [] } = {}) {
    const query = [exclude].flat().map((path) => ['exclude', path])
    if (directory !== undefined) query.push(['directory', directory])
    // A second snapshot would be of another moment.
    await this.#request('POST', 'snapshot', { query, repeatable: false })
  }

  // --- Metadata. A capability is TYPE.NAME, with the type os, runtime, file or package. ---

  /** The arrays `dependencies`, `provides` and `templates`, and the object `environment`. */
  async meta() {
    return JSON.parse(await this.#request('GET', 'meta'))
  }

  /** The value of a variable that the package itself has, or undefined. */
  async metaEnv(key) {
    return new Map(Object.entries((await this.meta()).environment)).get(key)
  }

  /** The dependencies of the package, each as TYPE.NAME. */
  async metaDependencies() {
    return (await this.meta()).dependencies.map(({ type, name }) => `${type}.${name}`)
  }

  /** Whether the package has a dependency that begins so: runtime.node is also true for runtime.node-20. */
  async metaHasDependency(prefix) {
    return (await this.metaDependencies()).some((capability) => capability.startsWith(prefix))
  }

  setEnv(key, value) {
    return this.changeMeta('environment', 'add', { key, value })
  }

  unsetEnv(key) {
    return this.changeMeta('environment', 'remove', { key })
  }

  setStartCommand(command) {
    return this.setEnv('START_COMMAND', command)
  }

  setStartPath(path) {
    return this.setEnv('START_PATH', path)
  }

  addProvides(...capabilities) {
    return this.#changeCapabilities('provides', 'add', capabilities)
  }

  removeProvides(...capabilities) {
    return this.#changeCapabilities('provides', 'remove', capabilities)
  }

  addDependencies(...capabilities) {
    return this.#changeCapabilities('dependencies', 'add', capabilities)
  }

  removeDependencies(...capabilities) {
    return this.#changeCapabilities('dependencies', 'remove', capabilities)
  }

  addTemplate(path, left = '{{', right = '}}') {
    return this.changeMeta('templates', 'add', { path, left_delimiter: left, right_delimiter: right })
  }

  removeTemplate(path, left = '{{', right = '}}') {
    return this.changeMeta('templates', 'remove', { path, left_delimiter: left, right_delimiter: right })
  }

  async #changeCapabilities(resource, action, capabilities) {
    for (const capability of capabilities) {
      const dot = capability.indexOf('.')
      if (dot === -1)
        throw new StagerError(`"${capability}" is not a capability: write TYPE.NAME, such as runtime.node.`)
      await this.changeMeta(resource, action, { type: capability.slice(0, dot), name: capability.slice(dot + 1) })
    }
  }

  /** Any change, as in docs/stager-api.md. */
  async changeMeta(resource, action, fields) {
    const form = new URLSearchParams({ resource, action, ...fields })
    await this.#request('PUT', 'meta', { form: Buffer.from(form.toString()) })
  }

  // --- /stagerfs ---

  /**
   * Runs a command of the package's filesystem in its /app, as the user of this stager or as root. It gets the
   * environment of the launch, which contains that of the package and its dependencies. Put the application there first:
   * getData('/stagerfs/app'). With `capture`, returns the output. Throws CommandFailed.
   */
  inStagerfs(command, { asRoot: root = false, capture = false } = {}) {
    // It may be a symbolic link that has its target only within /stagerfs.
    if (!fs.lstatSync('/stagerfs/bin/sh', { throwIfNoEntry: false }))
      throw new StagerError(
        '/stagerfs has no /bin/sh: give the package an operating system first, with relaunchWith os.NAME.',
      )
    own('/stagerfs/app')
    // HOME is outside of /app, where caches would become part of the application.
    const home = root ? '/root' : '/tmp/stager-home'
    if (!fs.existsSync(`/stagerfs${home}`)) own(`/stagerfs${home}`)
    const user = root ? [] : [`--userspec=${process.getuid()}:${process.getgid()}`]
    // Without STAGER_URL, the command cannot post a verdict. The others are not in /stagerfs. sudo would remove the
    // other variables.
    const hidden = ['STAGER_URL', 'STAGER_CACHE', 'STAGER_SECRETS', 'HOME', 'PWD', 'OLDPWD', 'SHLVL', '_']
    const shown = Object.entries(process.env).filter(([key]) => !hidden.includes(key))
    // Of the dependencies of the package, for their programs alone. `env` takes the last of several.
    const isGiven = ([key]) => key.startsWith('STAGERFS_ENV_')
    const given = shown.filter(isGiven).map(([key, value]) => [key.slice('STAGERFS_ENV_'.length), value])
    const variables = [...shown.filter((one) => !isGiven(one)), ...given].map((pair) => pair.join('='))
    // `env` is the last to start: a shell may drop variables that it cannot name.
    const shell = ['/bin/sh', '-c', 'cd /app && exec env -i "$@"', 'sh', ...variables, `HOME=${home}`]
    const whole = asRoot('chroot', ...user, '/stagerfs', ...shell, ...command)
    const { status, signal, stdout } = execute(whole, capture ? 'pipe' : 1)
    if (status !== 0) throw new CommandFailed(command, status ?? 128 + constants.signals[signal])
    return capture ? stdout.toString() : undefined
  }

  // --- Secrets ---

  /** The path of the file with a secret of the stager or of its staging; undefined if it has none of this name. */
  async secret(name) {
    const file = join(process.env.STAGER_SECRETS || '/dev/null', name)
    return fs.existsSync(file) && fs.statSync(file).isFile() ? file : undefined
  }

  // --- What is kept for the next staging ---

  /**
   * Puts back what `keep` has kept of the directory by this name and key, in this or an earlier staging of the package.
   * False if there is nothing, or if it is damaged: then make it again. The key is any text that tells what the directory
   * depends on, such as the digest of a lock file. The packages that / and /stagerfs consist of are always part of it.
   */
  async restore(name, key, directory) {
    for (const file of entriesOf(kept(name, key))) {
      // The name has the digest, which finds out what was cut short.
      if ((await digestOf(file)) === file.split('-').at(-1)) {
        own(dirname(resolve(directory)))
        execute(asRoot('rm', '-rf', '--', directory))
        if (execute(asRoot('tar', '-xpf', file, '-C', dirname(resolve(directory)))).status === 0) return true
        execute(asRoot('rm', '-rf', '--', directory))
      }
      discard(file)
    }
    return false
  }

  /**
   * Keeps a copy of the directory for the next staging, unless it has more than 256 MiB. Of each name, the three latest
   * are kept.
   */
  async keep(name, key, directory) {
    const cache = process.env.STAGER_CACHE
    if (!cache) return
    const fresh = join(cache, `new-${process.pid}`)
    try {
      const size = execute(asRoot('du', '-sk', directory), 'pipe')
      if (size.status !== 0 || parseInt(size.stdout.toString(), 10) > 256 * 1024) throw new Error('too large')
      // What is in the place of a file is not written to or into.
      for (const old of [fresh, ...entriesOf(kept(name, key))]) discard(old)
      const file = fs.openSync(fresh, 'w')
      const path = resolve(directory)
      const { status } = execute(asRoot('tar', '-cf', '-', '-C', dirname(path), basename(path)), file)
      fs.closeSync(file)
      if (status !== 0) throw new Error('tar failed')
      fs.renameSync(fresh, `${kept(name, key)}-${await digestOf(fresh)}`)
      const timeOf = (one) => fs.lstatSync(one).mtimeMs
      const entries = entriesOf(join(cache, name)).sort((a, b) => timeOf(b) - timeOf(a))
      for (const old of entries.slice(3)) discard(old)
    } catch {
      this.say(`${directory} is not kept for the next staging`)
      discard(fresh)
    }
  }

  // --- Requests ---

  /** Resolves with the body of the answer, or writes it to the file `save`. Rejects with Refused. */
  async #request(method, operation, { query = [], form, upload, save, repeatable = true } = {}) {
    const target = `${this.url}/${operation}${query.length > 0 ? `?${new URLSearchParams(query)}` : ''}`
    const asked = `${method} /${operation}`
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await send(method, target, { form, upload })
        if (response.statusCode !== 200) throw new Refused(asked, response.statusCode, await textOf(response))
        if (save === undefined) return await textOf(response)
        return await promisify(pipeline)(response, fs.createWriteStream(save))
      } catch (error) {
        if (error instanceof Refused) throw error
        // A request can be repeated if it has the same effect twice, or was not sent.
        const isSent = error.syscall !== 'connect' && error.syscall !== 'getaddrinfo'
        if (attempt === 3 || (isSent && !repeatable)) throw new StagerError(`${asked} got no answer: ${error.message}`)
        await new Promise((resolve) => setTimeout(resolve, attempt * 1000))
      }
    }
  }
}

/** Without a proxy, and without a time limit, unlike `fetch`: a snapshot may take its time. */
function send(method, target, { form, upload }) {
  const length = upload === undefined ? (form ? form.length : 0) : fs.statSync(upload).size
  const kind = upload === undefined ? 'x-www-form-urlencoded' : 'octet-stream'
  const headers = method === 'GET' ? {} : { 'content-type': `application/${kind}`, 'content-length': length }
  return new Promise((resolve, reject) => {
    const request = http.request(target, { method, headers, agent: false }, resolve)
    // After the answer, which may come before the whole body is sent, this has no effect.
    request.on('error', reject)
    if (upload === undefined) request.end(form)
    else pipeline(fs.createReadStream(upload), request, () => undefined)
  })
}

async function textOf(response) {
  const pieces = []
  for await (const piece of response) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

/** stderr goes to stdout, because two streams would not keep their order. */
function execute([program, ...args], stdout = 1) {
  const ended = spawnSync(program, args, { stdio: ['inherit', stdout, 1], maxBuffer: Infinity })
  if (ended.error) throw new StagerError(`${program} cannot be started: ${ended.error.message}`)
  return ended
}

/** Makes a directory that belongs to the user of this stager, unless there is one already. */
function own(directory) {
  try {
    fs.mkdirSync(directory, { recursive: true })
    fs.accessSync(directory, fs.constants.W_OK)
  } catch {
    execute(asRoot('mkdir', '-p', directory))
    if (execute(asRoot('chown', `${process.getuid()}:${process.getgid()}`, directory)).status !== 0)
      throw new StagerError(`The directory ${directory} cannot be made, or cannot be given to the user of this stager.`)
  }
}

function asRoot(...command) {
  const hasSudo = (process.env.PATH ?? '').split(':').some((path) => fs.existsSync(`${path}/sudo`))
  return process.getuid() === 0 || !hasSudo ? command : ['sudo', '--', ...command]
}

function kept(name, key) {
  const digest = createHash('sha256')
    .update(`${key}\0${process.env.STAGER_BASE ?? ''}\0`)
    .digest('hex')
  return join(process.env.STAGER_CACHE || '/dev/null', `${name}-${digest}`)
}

/** The files whose names begin so. */
function entriesOf(path) {
  if (!fs.existsSync(dirname(path))) return []
  if (!fs.statSync(dirname(path)).isDirectory()) return []
  const names = fs.readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}-`))
  return names.map((name) => join(dirname(path), name))
}

/** Undefined for what is no file, of which nothing is read, or cannot be read. */
async function digestOf(file) {
  try {
    if (!fs.lstatSync(file).isFile()) return undefined
    const sha256 = createHash('sha256')
    for await (const piece of fs.createReadStream(file)) sha256.update(piece)
    return sha256.digest('hex')
  } catch {
    return undefined
  }
}

/** Removes whatever is there, as far as possible: what is kept never makes a staging fail. */
function discard(path) {
  try {
    fs.rmSync(path, { recursive: true, force: true })
  } catch {
    // It is not restored, wherever it is.
  }
}

async function inTemporary(use) {
  const directory = fs.mkdtempSync(join(tmpdir(), 'stager-'))
  try {
    return await use(directory)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}
