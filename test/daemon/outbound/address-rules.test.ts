import { expect, test } from 'vitest'
import { AddressRules } from '../../../daemon/outbound/address-rules.js'
import { parseNetworks } from '../../../daemon/settings/parse-networks.js'

const OWN = '93.184.215.77'
const rules = (networks = '') => new AddressRules(parseNetworks(networks), () => [OWN])
const kindOf = (address: string, networks?: string) => rules(networks).judge(address).kind

test.each([
  '93.184.215.14',
  '8.8.8.8',
  '172.15.255.255',
  '172.32.0.1',
  '100.128.0.1',
  '169.253.255.255',
  '2606:2800:21f:cb07:6820:80da:af6b:8b2c',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
  '2002:808:808::1',
])('%s is public, and allowed', (address) => {
  expect(kindOf(address)).toBe('allowed')
})

test.each([
  ['127.0.0.1', '127.0.0.0/8'],
  ['127.255.255.254', '127.0.0.0/8'],
  ['10.1.2.3', '10.0.0.0/8'],
  ['172.16.0.1', '172.16.0.0/12'],
  ['172.31.255.255', '172.31.255.255/32'],
  ['192.168.1.1', '192.168.0.0/16'],
  ['100.64.0.1', '100.64.0.0/10'],
  ['198.18.0.2', '198.18.0.0/16'],
  ['192.0.2.1', '192.0.2.0/24'],
  ['240.0.0.1', '240.0.0.0/4'],
  [OWN, `${OWN}/32`],
  ['::1', '::1/128'],
  ['fd12:3456::1', 'fd12:3456::/32'],
  ['fec0::1', 'fec0::/10'],
  ['2001:db8::1', '2001:db8::/32'],
  ['100::1', '100::/64'],
  ['::ffff:127.0.0.1', '127.0.0.0/8'],
  ['::ffff:7f00:1', '127.0.0.0/8'],
  ['::127.0.0.1', '127.0.0.0/8'],
  ['::ffff:0:10.0.0.1', '10.0.0.0/8'],
  ['64:ff9b::10.0.0.1', '10.0.0.0/8'],
  ['2002:a00:1::', '10.0.0.0/8'],
])('%s is allowed only when its network is listed, as in %s', (address, network) => {
  expect(kindOf(address)).toBe('not-listed')
  expect(kindOf(address, network)).toBe('allowed')
})

test.each([
  '169.254.169.254',
  '169.254.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  '0.0.0.0',
  '0.1.2.3',
  '::',
  '224.0.0.1',
  'ff02::1',
  '255.255.255.255',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::169.254.169.254',
  '::ffff:0:169.254.169.254',
  '64:ff9b::169.254.169.254',
  '64:ff9b::6464:64c8',
  '64:ff9b:1::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  // What is no address, or one in a form that programs read in different ways.
  '',
  'localhost',
  '127.1',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '2130706433',
])('%j is never allowed, whatever is listed', (address) => {
  expect(kindOf(address, '0.0.0.0/0, ::/0')).toBe('never')
})
