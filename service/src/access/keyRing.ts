/** The keys of tokens as a process uses them: read from the database, kept for some seconds, made and replaced. */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose';
import pTimeout from 'p-timeout';
import type { TokenKey, TokenKeyStore } from './store/tokenKeyStore.ts';

export const TOKEN_ALGORITHM = 'EdDSA';
/** A key that is dropped is refused by every process after this time at the latest. */
const MAX_AGE_MS = 10_000;
/** While the database does not answer, keys are used for this long at most. */
const STALE_MAX_AGE_MS = 15 * 60_000;
/** Where the database does not answer within this time, the keys that were read last are used. */
const STORE_WAIT_MS = 2_000;
/** After such a failure no request waits for the database again within this time. */
const NEXT_TRY_MS = 5_000;
/** A key signs no longer than this; the next token then makes a new key. */
const KEY_LIFETIME_MS = 30 * 86_400_000;
/** The newest key and the one before it, whose tokens end by themselves. */
const KEPT_KEY_COUNT = 2;

interface LoadedKeys {
  readonly keys: readonly TokenKey[];
  readonly readAtMs: number;
}

export class KeyRing {
  readonly #store: Pick<TokenKeyStore, 'read' | 'ensure' | 'replace'>;
  readonly #verifiers = new Map<string, CryptoKey>();
  #loaded: LoadedKeys = { keys: [], readAtMs: Number.NEGATIVE_INFINITY };
  /** Set while the database does not answer. */
  #nextTryAtMs: number | undefined;
  #reading: Promise<void> | undefined;

  constructor(store: Pick<TokenKeyStore, 'read' | 'ensure' | 'replace'>) {
    this.#store = store;
  }

  /**
   * @param kid from the header of a token, so anything. It is only looked up among the known keys.
   * @returns the public key; undefined where there is no such key.
   * @throws StoreUnavailable if no keys were read within 15 minutes and the database does not answer.
   */
  async verifier(kid: unknown): Promise<CryptoKey | undefined> {
    if (performance.now() - this.#loaded.readAtMs > MAX_AGE_MS) await this.#refresh();
    let key = this.#find(kid);
    if (key === undefined) {
      // Another process may have made the key a moment ago. Simultaneous requests share one statement.
      const isShared = this.#reading !== undefined;
      await this.#refresh();
      key = this.#find(kid);
      if (key === undefined && isShared) {
        // That statement began before this request, so the key may have been stored after it.
        await this.#refresh();
        key = this.#find(kid);
      }
    }
    return key === undefined ? undefined : await this.#import(key);
  }

  /** @returns the key that signs, and its id. A key that is too old is replaced first. */
  async signer(): Promise<{ readonly kid: string; readonly key: CryptoKey }> {
    let [newest] = await this.#store.read();
    if (newest === undefined) [newest] = await this.#store.ensure(await makeKey());
    if (newest === undefined) throw new Error('the key of tokens could not be stored');
    if (Date.now() - newest.createdAt.getTime() > KEY_LIFETIME_MS) {
      // Where another process replaces it at the same time, its key is used.
      await this.#replace(newest, { keepsPrevious: true });
      [newest] = await this.#store.read();
      if (newest === undefined) throw new Error('the key of tokens is gone');
    }
    const { kid, x, d } = newest;
    const jwk = { kty: 'OKP', crv: 'Ed25519', x, d };
    return { kid, key: (await importJWK(jwk, TOKEN_ALGORITHM)) as CryptoKey };
  }

  /**
   * Makes a new key that signs from now on.
   * @param keepsPrevious true: tokens of the key before it stay valid until their end. False: those of every other key are
   * refused, also of one that another process makes at the same time.
   */
  async rotate({ keepsPrevious }: { readonly keepsPrevious: boolean }): Promise<void> {
    for (;;) {
      let [newest] = await this.#store.read();
      newest ??= (await this.#store.ensure(await makeKey()))[0];
      if (newest === undefined) throw new Error('the key of tokens could not be stored');
      // Where another process has made a new key at this moment, that is what was asked, unless the other keys must go.
      if ((await this.#replace(newest, { keepsPrevious })) || keepsPrevious) break;
    }
    // A statement that is under way may have begun before the key was replaced.
    if (this.#reading !== undefined) await this.#refresh();
    await this.#refresh();
  }

  /** @returns false if another process has replaced the newest key since it was read; nothing is changed then. */
  async #replace(
    newest: TokenKey,
    { keepsPrevious }: { readonly keepsPrevious: boolean },
  ): Promise<boolean> {
    const made = await makeKey();
    const keys = keepsPrevious ? [made, newest].slice(0, KEPT_KEY_COUNT) : [made];
    return await this.#store.replace(newest.kid, keys);
  }

  #find(kid: unknown): TokenKey | undefined {
    return this.#loaded.keys.find((key) => key.kid === kid);
  }

  async #import({ kid, x }: TokenKey): Promise<CryptoKey> {
    let imported = this.#verifiers.get(kid);
    if (imported === undefined) {
      imported = await importJWK({ kty: 'OKP', crv: 'Ed25519', x }, TOKEN_ALGORITHM);
      this.#verifiers.set(kid, imported);
    }
    return imported;
  }

  /**
   * While the database does not answer, the keys that were read last stay in use. After one request has waited in vain, the others
   * are answered at once, and the database is asked beside them.
   */
  async #refresh(): Promise<void> {
    const nowMs = performance.now();
    const isUsable =
      this.#loaded.keys.length > 0 && nowMs - this.#loaded.readAtMs < STALE_MAX_AGE_MS;
    if (isUsable && nowMs < (this.#nextTryAtMs ?? 0)) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    if (!isUsable) {
      await this.#reading;
      return;
    }
    const isFailing = this.#nextTryAtMs !== undefined;
    if (isFailing) this.#nextTryAtMs = nowMs + NEXT_TRY_MS;
    const waited = pTimeout(this.#reading, { milliseconds: STORE_WAIT_MS }).catch(() => {
      this.#nextTryAtMs = performance.now() + NEXT_TRY_MS;
    });
    if (!isFailing) await waited;
  }

  async #read(): Promise<void> {
    const keys = await this.#store.read();
    const kids = new Set(keys.map(({ kid }) => kid));
    for (const kid of this.#verifiers.keys()) if (!kids.has(kid)) this.#verifiers.delete(kid);
    this.#loaded = { keys, readAtMs: performance.now() };
    this.#nextTryAtMs = undefined;
  }
}

async function makeKey(): Promise<TokenKey> {
  const { privateKey } = await generateKeyPair(TOKEN_ALGORITHM, { extractable: true });
  const { x, d } = await exportJWK(privateKey);
  if (x === undefined || d === undefined) throw new Error('the new key has no coordinates');
  return { kid: randomUUID(), x, d, createdAt: new Date() };
}
