# Reads what bin/release of a buildpack prints, and writes fields with a NUL after each: the command of the process `web`,
# which may be empty, then the names and values of the variables. Says in one sentence what is wrong with it.
require 'yaml'

LONGEST = 64 * 1024
NAME = /\A[A-Za-z_][A-Za-z0-9_]*\z/
# These are of stagers.
RESERVED = /\A(STAGER_|START_)/

def refuse(why)
  warn "#{why}."
  exit 1
end

def text_of(value, what)
  case value
  when String, Integer, Float, true, false then value.to_s
  when nil then ''
  else refuse("has #{what}, which is no text")
  end
end

def table_of(value, what)
  return {} if value.nil?
  refuse("has #{what}, which is no table of names and values") unless value.is_a?(Hash)
  # Older ones print symbols.
  value.transform_keys(&:to_s)
end

text = $stdin.read(LONGEST + 1) || ''
refuse("prints more than #{LONGEST} bytes") if text.bytesize > LONGEST
text.force_encoding('UTF-8')
refuse('prints what is no UTF-8') unless text.valid_encoding?
begin
  # No aliases and no objects: a few bytes could become gigabytes, or programs.
  document = YAML.safe_load(text, permitted_classes: [Symbol], aliases: false)
rescue Psych::Exception => error
  refuse("prints what is no YAML for a release (#{error.message.lines.first.to_s.strip})")
rescue SystemStackError
  refuse('prints YAML that is too deep')
end
document = {} if document == false
document = table_of(document, 'a document')
processes = table_of(document['default_process_types'], 'default_process_types')
web = text_of(processes['web'], 'default_process_types.web').strip
variables = table_of(document['config_vars'], 'config_vars')
fields = [web]
variables.each do |name, value|
  refuse("has #{name[0, 40].inspect} in config_vars, which is not the name of a variable") unless name.match?(NAME)
  refuse("has #{name[0, 40]} in config_vars, which only stagers set") if name.match?(RESERVED)
  fields << name << text_of(value, "config_vars.#{name[0, 40]}")
end
fields.each do |field|
  refuse('has a character in a value that no variable can have') if field.include?("\0")
end
$stdout.binmode
$stdout.write(fields.map { |field| "#{field}\0" }.join)
