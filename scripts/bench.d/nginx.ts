import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'

/**
 * A private nginx on the loopback address that accepts files by PUT and serves them by GET.
 *
 * LIFECYCLE: `start`, then `end` exactly once.
 */
export class Nginx {
  private constructor(
    private readonly directory: string,
    readonly url: string,
  ) {}

  static async start(work: string, port = 18_473): Promise<Nginx> {
    const directory = join(work, 'nginx')
    await mkdir(join(directory, 'files'), { recursive: true })
    await writeFile(join(directory, 'nginx.conf'), configuration(directory, port))
    await execa('nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')])
    return new Nginx(directory, `http://127.0.0.1:${port}`)
  }

  /** Path of the file that was PUT as `name`. */
  fileOf(name: string): string {
    return join(this.directory, 'files', name)
  }

  async end(): Promise<void> {
    const pid = Number(await readFile(join(this.directory, 'pid'), 'utf8'))
    process.kill(pid, 'SIGTERM')
    for (;;) {
      try {
        process.kill(pid, 0)
      } catch {
        return
      }
      await setTimeout(20)
    }
  }
}

function configuration(directory: string, port: number): string {
  return `
user root;
worker_processes auto;
pid ${directory}/pid;
error_log ${directory}/error.log;
events {}
http {
  access_log off;
  sendfile on;
  client_max_body_size 0;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${directory}/files;
    location / { dav_methods PUT DELETE; }
  }
}
`
}
