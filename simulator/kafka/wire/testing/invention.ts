import * as fc from "fast-check";
import type { WireReader } from "#simulator/kafka/wire/reader.ts";

const COUNT_MAX = 3;
const NULL_PART = 4;

export interface InventionOptions {
  /** True when it also invents nulls, which a codec may refuse. */
  readonly hasNulls: boolean;
  /** True when every 16-bit number is 0, so that no unknown error code occurs. */
  readonly isFreeOfErrors?: boolean;
}

/**
 * A reader that holds, instead of bytes, any value that a codec asks for, so that the codec reads
 * an arbitrary message.
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

  /** The number of tagged fields, their tags, and their lengths. */
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
