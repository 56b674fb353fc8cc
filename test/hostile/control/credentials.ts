/** Namespaces that a token for `/evil` is not for, although they look like it. */
export const NEAR_NAMESPACES: readonly string[] = [
  '/',
  '/evil-2',
  '/evil2',
  '/evi',
  '/EVIL',
  '/acme/evil',
  '/evil/../acme',
  '/evil/',
  '//evil',
  '/evil\u0000',
  '/evil%2f..%2facme',
  '/\u0435vil',
]

/** Headers that are no credentials. `TOKEN` becomes a valid token of somebody, `READER` one that may only read. */
export const BAD_CREDENTIALS: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> = {
  nothing: {},
  'a token without its scheme': { authorization: 'TOKEN' },
  'another scheme': { authorization: 'Basic TOKEN' },
  'two tokens in one': { authorization: 'Bearer TOKEN TOKEN' },
  'a wrong token before a valid one': { authorization: ['Bearer stagerd_no', 'Bearer TOKEN'] },
  'a token with one letter more': { authorization: 'Bearer TOKENA' },
  'a token in small letters': { authorization: 'Bearer token' },
  'a token in a cookie': { cookie: 'token=TOKEN; authorization=Bearer TOKEN' },
  'a token in another header': { 'x-authorization': 'Bearer TOKEN', 'proxy-authorization': 'Bearer TOKEN' },
  'the name of an administrator': { 'x-remote-user': 'root', 'x-forwarded-user': 'root' },
  'an address that is trusted elsewhere': { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1;host=localhost' },
  'a very long token': { authorization: `Bearer stagerd_${'x'.repeat(10_000)}` },
}
