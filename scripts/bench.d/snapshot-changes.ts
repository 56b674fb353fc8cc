/**
 * Shell scripts that make the changes for the snapshot benchmarks in a Debian root. They copy data from its programs
 * and libraries, which is compressible and the same in each run.
 */
const BLOB = (bytes: number) =>
  `{ cat /usr/bin/* /usr/lib/*-linux-gnu/*.so*; cat /usr/bin/* /usr/lib/*-linux-gnu/*.so*; cat /usr/bin/*; } | head -c ${bytes} >/tmp/blob`

/** 10 000 files of 4 KiB in 100 directories, and 1 000 removals. */
export const SMALL_FILES = `
${BLOB(10_000 * 4096)}
mkdir -p /srv/new
for i in $(seq 0 99); do
  mkdir /srv/new/$i
  dd if=/tmp/blob bs=409600 skip=$i count=1 status=none | split -b 4096 -a 2 - /srv/new/$i/f
done
rm /tmp/blob
find /usr/share -type f -print0 | LC_ALL=C sort -z | head -z -n 1000 | xargs -0 rm
test $(find /srv/new -type f | wc -l) = 10000`

/** 200 files of 1 MiB. */
export const LARGE_FILES = `
${BLOB(200 * 1024 ** 2)}
mkdir -p /srv/new
split -b 1M -a 3 /tmp/blob /srv/new/f
rm /tmp/blob
test $(find /srv/new -type f | wc -l) = 200`

/** Appends a line to ten files of the base. */
export const TEN_FILES = `
find /etc -type f | LC_ALL=C sort | head -n 10 | while read -r file; do echo '# changed' >>"$file"; done`
