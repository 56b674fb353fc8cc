# frozen_string_literal: true

# The Stager API for stagers in Ruby, 2.6 or later: see docs/stager-library.md.
#
#   require_relative 'stager'
#
#   Stager.run do |stager|
#     stager.get_data('/tmp/app')
#     ...
#     stager.finish
#   end
#
# It needs tar and gzip. To run commands in /stagerfs as another user than root, it needs sudo, and the chroot of
# coreutils.
require 'digest'
require 'fileutils'
require 'json'
require 'net/http'
require 'pathname'
require 'tmpdir'
require 'uri'

class Stager
  # Ends the stager with its sentence, unless it is rescued.
  class Error < StandardError; end

  # A request was refused: `status` and `sentence` are those of the answer.
  class Refused < Error
    attr_reader :status, :sentence

    def initialize(request, status, sentence)
      super("#{request} was refused with #{status}: #{sentence}")
      @status = status
      @sentence = sentence
    end
  end

  class CommandFailed < Error
    attr_reader :exit_code

    def initialize(command, exit_code)
      super("\"#{command.join(' ')}\" ended with exit code #{exit_code}.")
      @exit_code = exit_code
    end
  end

  # Runs the block, and posts `failed` when it ends without a verdict. Does not return.
  def self.run
    $stdout.sync = true
    # Two streams would not keep their order, so stderr goes to stdout.
    $stderr.reopen($stdout)
    url = ENV.fetch('STAGER_URL', '')
    abort 'STAGER_URL is not set: this is a stager, and only stagerd starts it.' if url.empty?
    stager = new(url)
    code = 1
    begin
      yield stager
      puts 'The stager ended without a verdict: end it with finish, fail or relaunch_with.'
    rescue Error => e
      puts e.message
    rescue SystemExit => e
      raise if stager.verdict || stager.explained

      code = e.status unless e.status.zero?
      puts "The stager ended without a verdict: #{e.status}."
    rescue Exception => e # rubocop:disable Lint/RescueException
      puts e.full_message(highlight: false)
    end
    stager.post_failed
    exit code
  end

  attr_reader :verdict, :explained

  def initialize(url)
    @url = URI(url)
  end

  # --- Output and verdicts ---

  # A heading in the log.
  def say(text)
    puts "-----> #{text}"
  end

  # The staging fails, with this sentence in its log.
  def fail(sentence)
    puts sentence
    @explained = true
    post_failed
    exit 1
  end

  # The staging goes on with the next stager, and the data and metadata of the package are kept.
  def finish
    post_verdict('done')
  end

  # Starts this stager again, with the current dependencies and environment of the package.
  def relaunch
    post_verdict('relaunch')
  end

  # Adds those dependencies that the package lacks, and starts this stager again with them: the root of a running
  # container cannot change. Returns if the package has all of them, and if the relaunch would change nothing, because
  # what this stager expects has them already.
  def relaunch_with(*capabilities)
    missing = capabilities - meta_dependencies
    return if missing.empty?

    add_dependencies(*missing)
    post_verdict('relaunch', if: 'needed')
  end

  def post_failed
    request('POST', 'failed')
  rescue Error => e
    # Another verdict or a limit was first: the log of the staging has it.
    puts e.message unless e.is_a?(Refused) && e.status == 452
  end

  # --- Data ---

  # Unpacks the data of the package into a directory. What an earlier stager packed below app/, and what the user
  # uploaded without a prefix, looks the same here: the application is in the directory itself.
  def get_data(directory)
    Dir.mktmpdir do |temporary|
      archive = File.join(temporary, 'data.tar.gz')
      request('GET', 'data', save: archive)
      names = IO.popen(['tar', '-tzf', archive], 'rb', &:readlines)
      # A file that is named app is no prefix.
      strip = names.all? { |name| name.start_with?('app/') } ? ['--strip-components=1'] : []
      own(directory)
      system('tar', '-xzf', archive, '-C', directory, *strip) ||
        raise(Error, "The data of the package cannot be unpacked into #{directory}.")
    end
  end

  # Replaces the data of the package by these files and directories of `directory`, or by all that it contains. The
  # directory stands for the root of the package: an application is in its directory app.
  def put_data(directory, *paths)
    # The names of the entries have no "./", and the root directory is not among them.
    names = (paths.empty? ? ['.'] : paths).flat_map do |path|
      name = Pathname.new("/#{path}").cleanpath.to_s.delete_prefix('/')
      name.empty? ? Dir.children(directory) : [name]
    end
    raise Error, "There is nothing to upload in #{directory}." if names.empty?

    options = `tar --version 2>&1`.include?('GNU') ? ['--sort=name', '--numeric-owner'] : []
    Dir.mktmpdir do |temporary|
      archive = File.join(temporary, 'data.tar.gz')
      # As root, because a command that ran as root may have left files that only root can read.
      system(*as_root('tar', '-czf', '-', *options, '-C', directory, '--', *names), out: archive) ||
        raise(Error, "#{directory} cannot be packed.")
      request('POST', 'data', query: { sha256: Digest::SHA256.file(archive).hexdigest }, upload: archive)
    end
  end

  # Replaces the data of the package by what this stager changed in its own filesystem.
  def snapshot(directory: nil, exclude: [])
    query = { directory: directory, exclude: Array(exclude) }.compact
    # A second snapshot would be of another moment.
    request('POST', 'snapshot', query: query, repeatable: false)
  end

  # --- Metadata. A capability is TYPE.NAME, with the type os, runtime, file or package. ---

  # The lists `dependencies`, `provides` and `templates`, and the hash `environment`.
  def meta
    JSON.parse(request('GET', 'meta'))
  end

  # The value of a variable that the package itself has, or nil.
  def meta_env(key)
    meta['environment'][key]
  end

  # The dependencies of the package, each as TYPE.NAME.
  def meta_dependencies
    meta['dependencies'].map { |each| "#{each['type']}.#{each['name']}" }
  end

  # Whether the package has a dependency that begins so: runtime.node is also true for runtime.node-20.
  def meta_has_dependency(prefix)
    meta_dependencies.any? { |capability| capability.start_with?(prefix) }
  end

  def set_env(key, value)
    change_meta('environment', 'add', key: key, value: value)
  end

  def unset_env(key)
    change_meta('environment', 'remove', key: key)
  end

  def set_start_command(command) # rubocop:disable Naming/AccessorMethodName
    set_env('START_COMMAND', command)
  end

  def set_start_path(path) # rubocop:disable Naming/AccessorMethodName
    set_env('START_PATH', path)
  end

  def add_provides(*capabilities)
    change_capabilities('provides', 'add', capabilities)
  end

  def remove_provides(*capabilities)
    change_capabilities('provides', 'remove', capabilities)
  end

  def add_dependencies(*capabilities)
    change_capabilities('dependencies', 'add', capabilities)
  end

  def remove_dependencies(*capabilities)
    change_capabilities('dependencies', 'remove', capabilities)
  end

  def add_template(path, left = '{{', right = '}}')
    change_meta('templates', 'add', path: path, left_delimiter: left, right_delimiter: right)
  end

  def remove_template(path, left = '{{', right = '}}')
    change_meta('templates', 'remove', path: path, left_delimiter: left, right_delimiter: right)
  end

  # Any change, as in docs/stager-api.md.
  def change_meta(resource, action, **fields)
    request('PUT', 'meta', form: { resource: resource, action: action, **fields })
  end

  # --- /stagerfs ---

  # Runs a command of the package's filesystem in its /app, as the user of this stager or as root. It gets the
  # environment of the launch, which contains that of the package and its dependencies. Put the application there first:
  # get_data('/stagerfs/app'). With `capture`, returns the output. Raises CommandFailed.
  def in_stagerfs(*command, as_root: false, capture: false)
    # It may be a symbolic link that has its target only within /stagerfs.
    unless File.exist?('/stagerfs/bin/sh') || File.symlink?('/stagerfs/bin/sh')
      raise Error, '/stagerfs has no /bin/sh: give the package an operating system first, with relaunch_with os.NAME.'
    end

    own('/stagerfs/app')
    # HOME is outside of /app, where caches would become part of the application.
    home = as_root ? '/root' : '/tmp/stager-home'
    own("/stagerfs#{home}") unless Dir.exist?("/stagerfs#{home}")
    user = as_root ? [] : ["--userspec=#{Process.uid}:#{Process.gid}"]
    # Without STAGER_URL, the command cannot post a verdict. STAGER_CACHE and STAGER_SECRETS are not in /stagerfs. sudo
    # would remove the other variables.
    hidden = %w[STAGER_URL STAGER_CACHE STAGER_SECRETS HOME PWD OLDPWD SHLVL _]
    variables = ENV.to_h.reject { |key, _| hidden.include?(key) }
    # Of the dependencies of the package, for their programs alone.
    given, variables = variables.partition { |key, _| key.start_with?('STAGERFS_ENV_') }
    given = given.to_h { |key, value| [key.delete_prefix('STAGERFS_ENV_'), value] }
    pairs = variables.to_h.merge(given, 'HOME' => home).map { |pair| pair.join('=') }
    # `env` is the last to start: a shell may drop variables that it cannot name.
    shell = ['/bin/sh', '-c', 'cd /app && exec env -i "$@"', 'sh', *pairs, *command]
    whole = as_root('chroot', *user, '/stagerfs', *shell)
    output = capture ? IO.popen(whole, &:read) : system(*whole)
    raise CommandFailed.new(command, $?.exitstatus || 128 + $?.termsig) unless $?.success?

    output if capture
  end

  # --- Secrets ---

  # The path of the file with a secret of the stager or of its staging; nil if it has none of this name.
  def secret(name)
    file = File.join(ENV.fetch('STAGER_SECRETS', '/dev/null'), name)
    file if File.file?(file)
  end

  # --- What is kept for the next staging ---

  # Puts back what `keep` has kept of the directory by this name and key, in this or an earlier staging of the package.
  # False if there is nothing, or if it is damaged: then make it again. The key is any text that tells what the directory
  # depends on, such as the digest of a lock file. The packages that / and /stagerfs consist of are always part of it.
  def restore(name, key, directory)
    Dir.glob(["#{kept(name, key)}-*"]).each do |file|
      # The name has the digest, which finds out what was cut short.
      if digest_of(file) == file.rpartition('-').last
        parent = File.dirname(File.expand_path(directory))
        own(parent)
        system(*as_root('rm', '-rf', '--', directory))
        return true if system(*as_root('tar', '-xpf', file, '-C', parent))

        system(*as_root('rm', '-rf', '--', directory))
      end
      FileUtils.rm_rf(file)
    end
    false
  end

  # Keeps a copy of the directory for the next staging, unless it has more than 256 MiB. Of each name, the three latest
  # are kept.
  def keep(name, key, directory)
    cache = ENV.fetch('STAGER_CACHE', '')
    return if cache.empty?

    fresh = File.join(cache, "new-#{Process.pid}")
    parent, base = File.split(File.expand_path(directory))
    size = IO.popen(as_root('du', '-sk', directory), &:read).to_i
    raise Error unless $?.success? && size <= 256 * 1024

    # What is in the place of a file is not written to or into.
    [fresh, *Dir.glob(["#{kept(name, key)}-*"])].each { |old| FileUtils.rm_rf(old) }
    raise Error unless system(*as_root('tar', '-cf', '-', '-C', parent, base), out: fresh)

    File.rename(fresh, "#{kept(name, key)}-#{digest_of(fresh)}")
    entries = Dir.glob([File.join(cache, "#{name}-*")])
    entries.sort_by { |file| File.lstat(file).mtime }[0...-3].each { |old| FileUtils.rm_rf(old) }
    nil
  rescue Error, SystemCallError
    say("#{directory} is not kept for the next staging")
    FileUtils.rm_rf(fresh)
    nil
  end

  private

  # Nil for what is no file, of which nothing is read, or cannot be read.
  def digest_of(file)
    Digest::SHA256.file(file).hexdigest if File.lstat(file).file?
  rescue SystemCallError
    nil
  end

  def kept(name, key)
    digest = Digest::SHA256.hexdigest("#{key}\0#{ENV.fetch('STAGER_BASE', '')}\0")
    File.join(ENV.fetch('STAGER_CACHE', '/dev/null'), "#{name}-#{digest}")
  end

  # Returns only from a relaunch that is not needed.
  def post_verdict(verdict, query = {})
    return if request('POST', verdict, query: query) == 'NOT NEEDED'

    @verdict = verdict
    exit 0
  end

  def change_capabilities(resource, action, capabilities)
    capabilities.each do |capability|
      type, dot, name = capability.partition('.')
      raise Error, "\"#{capability}\" is not a capability: write TYPE.NAME, such as runtime.node." if dot.empty?

      change_meta(resource, action, type: type, name: name)
    end
  end

  # Makes a directory that belongs to the user of this stager, unless there is one already.
  def own(directory)
    begin
      FileUtils.mkdir_p(directory)
    rescue SystemCallError
      system(*as_root('mkdir', '-p', directory))
    end
    return if File.writable?(directory)

    system(*as_root('chown', "#{Process.uid}:#{Process.gid}", directory)) ||
      raise(Error, "The directory #{directory} cannot be made, or cannot be given to the user of this stager.")
  end

  def as_root(*command)
    return command if Process.euid.zero?

    ENV['PATH'].split(':').any? { |path| File.executable?("#{path}/sudo") } ? ['sudo', '--', *command] : command
  end

  # --- Requests ---

  # Returns the body of the answer, or writes it to the file `save`. Raises Refused.
  def request(method, operation, query: {}, repeatable: true, **body)
    asked = "#{method} /#{operation}"
    attempt = 0
    begin
      attempt += 1
      connected = false
      # Without a proxy, and without a time limit: a snapshot may take its time.
      options = { read_timeout: nil, write_timeout: nil, max_retries: 0 }
      Net::HTTP.start(@url.host, @url.port, nil, **options) do |http|
        connected = true
        exchange(http, method, asked, "#{@url.path}/#{operation}#{query_string(query)}", **body)
      end
    rescue SystemCallError, SocketError, IOError, Net::ProtocolError, Timeout::Error => e
      # A request can be repeated if it has the same effect twice, or was not sent.
      raise Error, "#{asked} got no answer: #{e.message}" if attempt == 3 || (connected && !repeatable)

      sleep attempt
      retry
    end
  end

  def query_string(query)
    query.empty? ? '' : "?#{URI.encode_www_form(query)}"
  end

  def exchange(http, method, asked, target, form: nil, upload: nil, save: nil)
    message = Net::HTTP.const_get(method.capitalize).new(target, 'Accept-Encoding' => 'identity')
    message.form_data = form if form
    return receive(http, message, asked, save) unless upload

    File.open(upload, 'rb') do |file|
      message.body_stream = file
      message.content_length = file.size
      message.content_type = 'application/octet-stream'
      receive(http, message, asked, save)
    end
  end

  def receive(http, message, asked, save)
    http.request(message) do |response|
      raise Refused.new(asked, response.code.to_i, response.read_body.force_encoding('UTF-8')) if response.code != '200'
      return response.read_body unless save

      File.open(save, 'wb') { |file| response.read_body { |piece| file.write(piece) } }
      length = response.content_length
      raise EOFError, 'the answer is cut short' if length && File.size(save) != length
    end
  end
end
