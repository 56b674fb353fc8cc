import { moreMemory, type HintContext, type HintRule } from './hint-rule.js'

/** Programs that ran out of memory without reaching the limit of the launch, or in a process that was killed for it. */
export const MEMORY_RULES: readonly HintRule[] = [
  {
    name: 'heap of Node.js',
    traces: [
      [/^FATAL ERROR: .{1,120} JavaScript heap out of memory$/],
      [/^FATAL ERROR: .{1,120}Allocation failed - JavaScript heap out of memory/],
    ],
    hint: (context) => outOfMemory(context, 'Node.js'),
  },
  {
    name: 'heap of Java',
    traces: [[/java\.lang\.OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded|Metaspace)/]],
    hint: (context) => outOfMemory(context, 'Java'),
  },
  {
    name: 'killed compiler',
    traces: [
      [/fatal error: Killed signal terminated program (?:cc1|cc1plus|lto1|as|collect2|ld)/],
      [/internal compiler error: Killed \(program /],
      [/virtual memory exhausted: Cannot allocate memory/],
      [/^(?:\S{1,120}: )?\S{1,120}compile: signal: killed$/],
      [/cannot allocate memory/, /^fatal error: runtime: out of memory|^runtime: out of memory/],
    ],
    hint: (context) => outOfMemory(context, 'The compiler'),
  },
  {
    name: 'memory of PHP',
    traces: [[/^(?:PHP )?Fatal error: .{0,10}Allowed memory size of \d{1,20} bytes exhausted/]],
    hint: () =>
      'PHP has reached its own memory_limit: set COMPOSER_MEMORY_LIMIT=-1 for Composer, or memory_limit for the application.',
  },
  {
    name: 'memory of Python',
    traces: [[/^MemoryError(?:: .{0,200})?$/]],
    hint: (context) => outOfMemory(context, 'Python'),
  },
]

function outOfMemory(context: HintContext, who: string): string {
  return `${who} ran out of memory with a limit of ${Math.round(context.memoryBytes / 1024 / 1024)} MB: ${moreMemory(context)}.`
}
