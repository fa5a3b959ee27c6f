// Heartbeat's `crc`: a check against accidents, not a signature. Assumes nothing; promises the digits the real daemon
// prints: polynomial 0x04C11DB7, most significant bit first, initial value 0, complemented at the end, data bytes only
// (POSIX cksum would append the length), lower-case hexadecimal without zero padding.
// Witnesses: the `crc-*` vectors; crc-netstring-ackmsg-7digit has only seven digits.

const TABLE = Uint32Array.from({length: 256}, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

export function crcHex(bytes: Uint8Array): string {
  let crc = 0;
  for (const byte of bytes) crc = (crc << 8) ^ (TABLE[(crc >>> 24) ^ byte] ?? 0);
  return (~crc >>> 0).toString(16);
}
