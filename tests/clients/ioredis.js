// ioredis against a cluster: `node ioredis.js plain|cluster PORT...`. Says what failed and exits non-zero.
'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');

const [kind, ...ports] = process.argv.slice(2);

function connect() {
  if (kind === 'cluster') {
    return new Redis.Cluster([{ host: '127.0.0.1', port: Number(ports[0]) }], {
      clusterRetryStrategy: () => null,
    });
  }
  return new Redis({
    host: '127.0.0.1', port: Number(ports[0]), retryStrategy: () => null, maxRetriesPerRequest: 0,
  });
}

// A small generator, so that a failing run can be repeated.
function randomKeys(count) {
  let state = 12345;
  const keys = new Set();
  while (keys.size < count) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    keys.add(`ioredis:${state.toString(36)}`);
  }
  return [...keys];
}

async function setGetExpire(client, keys) {
  await Promise.all(keys.map((key) => client.set(key, `v:${key}`)));
  const values = await Promise.all(keys.map((key) => client.get(key)));
  assert.deepEqual(values, keys.map((key) => `v:${key}`));
  for (const key of keys.slice(0, 20)) {
    assert.equal(await client.expire(key, 1000), 1);
    const ttl = await client.ttl(key);
    assert.ok(ttl > 990 && ttl <= 1000, `ttl of ${key} is ${ttl}`);
  }
  const binary = Buffer.from([0, 1, 2, 13, 10, 255]);
  await client.set('ioredis:binary', binary);
  assert.deepEqual(await client.getBuffer('ioredis:binary'), binary);
  assert.equal(await client.get('ioredis:absent'), null);
  assert.equal(await client.incrby('ioredis:counter', 7), 7);
}

async function manyKeys(client, keys) {
  if (kind === 'plain') {
    const pairs = keys.flatMap((key, index) => [key, String(index)]);
    assert.equal(await client.mset(...pairs), 'OK');
    assert.deepEqual(await client.mget(...keys), keys.map((_, index) => String(index)));
    assert.equal(await client.del(...keys), keys.length);
  } else {
    // A cluster-aware client splits by itself or keeps to one slot; these share a tag.
    const tagged = keys.map((key) => `{one}${key}`);
    await client.mset(...tagged.flatMap((key, index) => [key, String(index)]));
    assert.deepEqual(await client.mget(...tagged), keys.map((_, index) => String(index)));
    await assert.rejects(client.mget('a', 'b'), /CROSSSLOT|same slot/);
  }
}

async function pipelines(client, keys) {
  // ioredis wants the keys of one pipeline on one node, in cluster mode.
  const names = kind === 'plain' ? keys : keys.map((key) => `{two}${key}`);
  const pipeline = client.pipeline();
  for (const name of names) {
    pipeline.set(name, name);
    pipeline.append(name, '!');
    pipeline.get(name);
  }
  const replies = await pipeline.exec();
  names.forEach((name, index) => {
    assert.deepEqual(replies[3 * index + 2], [null, `${name}!`]);
  });
}

async function main() {
  const client = connect();
  client.on('error', () => {}); // the command that failed tells more
  const keys = randomKeys(200);
  await setGetExpire(client, keys);
  await manyKeys(client, keys);
  await pipelines(client, keys);
  if (kind === 'cluster') {
    assert.equal(client.nodes('master').length, ports.length);
  }
  await client.quit();
}

main().then(() => console.log('ok'), (error) => {
  console.error(error);
  process.exit(1);
});
