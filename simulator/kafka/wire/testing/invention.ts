import * as fc from "fast-check";
import type { WireReader } from "#simulator/kafka/wire/reader.ts";

const COUNT_MAX = 3;
const NULL_PART = 4;

export interface InventionOptions {
  /** Null too, which a codec may refuse. */
  readonly hasNulls: boolean;
  /** Every 16-bit number is 0: no error code that nobody knows. */
  readonly isFreeOfErrors?: boolean;
}

/**
 * For tests: instead of bytes it holds any value that a codec asks it for, so that what the codec reads is any message of
 * its own.
 */
export class Invention implements WireReader {
  readonly #draw: fc.GeneratorValue;
  readonly #options: InventionOptions;

  constructor(draw: fc.GeneratorValue, options: InventionOptions) {
    this.#draw = draw;
    this.#options = options;
  }

  int8(): number {
    return this.#draw(fc.integer, { min: -(2 ** 7), max: 2 ** 7 - 1 });
  }

  int16(): number {
    if (this.#options.isFreeOfErrors === true) return 0;
    return this.#draw(fc.integer, { min: -(2 ** 15), max: 2 ** 15 - 1 });
  }

  int32(): number {
    return this.#draw(fc.integer, { min: -(2 ** 31), max: 2 ** 31 - 1 });
  }

  int64(): bigint {
    return this.#draw(fc.bigInt, { min: -(2n ** 63n), max: 2n ** 63n - 1n });
  }

  uuid(): string {
    return this.#draw(fc.uuid);
  }

  /** Of tagged fields: how many, which, and how long. */
  unsignedVarint(): number {
    return this.#draw(fc.nat, { max: COUNT_MAX });
  }

  count(): number | null {
    return this.#isNull() ? null : this.#draw(fc.nat, { max: COUNT_MAX });
  }

  string(): string | null {
    return this.#isNull() ? null : this.#draw(fc.string, { unit: "grapheme", maxLength: 9 });
  }

  bytes(): Buffer | null {
    return this.#isNull() ? null : Buffer.from(this.#draw(fc.uint8Array, { maxLength: 9 }));
  }

  within(): WireReader {
    return this;
  }

  #isNull(): boolean {
    return this.#options.hasNulls && this.#draw(fc.nat, { max: NULL_PART }) === 0;
  }
}
