import type { Writer } from "@platformatic/kafka";
import { Writer as PlatformaticWriter } from "@platformatic/kafka";
import { MalformedRequest } from "./reader.ts";
import type { WireReader } from "./reader.ts";

/** The properties of one message that decide its encoding. */
export interface WireFormat {
  readonly version: number;
  /** True for compact lengths and tagged fields (KIP-482). */
  readonly flexible: boolean;
}

/** Reads an `R` and writes a `W`. They differ where a field may be left out when writing. */
export interface Codec<R, W = R> {
  read(reader: WireReader, format: WireFormat): R;
  write(writer: Writer, value: W, format: WireFormat): void;
}

/** The type that reading returns. */
export type Decoded<C> = C extends Codec<infer R, infer _W> ? R : never;

/** The type that writing accepts. */
export type Encodable<C> = C extends Codec<infer _R, infer W> ? W : never;

export const int8: Codec<number> = {
  read: (reader) => reader.int8(),
  write: (writer, value) => void writer.appendInt8(value),
};

export const int16: Codec<number> = {
  read: (reader) => reader.int16(),
  write: (writer, value) => void writer.appendInt16(value),
};

export const int32: Codec<number> = {
  read: (reader) => reader.int32(),
  write: (writer, value) => void writer.appendInt32(value),
};

export const int64: Codec<bigint> = {
  read: (reader) => reader.int64(),
  write: (writer, value) => void writer.appendInt64(value),
};

export const boolean: Codec<boolean> = {
  read: (reader) => reader.int8() !== 0,
  write: (writer, value) => void writer.appendBoolean(value),
};

/** A UUID as hyphenated lower-case hexadecimal. */
export const uuid: Codec<string> = {
  read: (reader) => reader.uuid(),
  write: (writer, value) => void writer.appendUUID(value),
};

export const nullableString: Codec<string | null> = {
  read: (reader, format) => reader.string(format.flexible),
  write: (writer, value, format) => void writer.appendString(value, format.flexible),
};

export const string: Codec<string> = {
  read: (reader, format) => notNull(reader.string(format.flexible), "string"),
  write: (writer, value, format) => void writer.appendString(value, format.flexible),
};

export const nullableBytes: Codec<Buffer | null> = {
  read: (reader, format) => reader.bytes(format.flexible),
  write: (writer, value, format) => void writer.appendBytes(value, format.flexible),
};

export const bytes: Codec<Buffer> = {
  read: (reader, format) => notNull(reader.bytes(format.flexible), "bytes"),
  write: (writer, value, format) => void writer.appendBytes(value, format.flexible),
};

/**
 * Record batches. They are written from the log's buffers one after the other, without joining them
 * first.
 */
export const records: Codec<Buffer | null, readonly Buffer[] | null> = {
  read: (reader, format) => reader.bytes(format.flexible),
  write(writer, batches, format) {
    if (batches === null) {
      writer.appendBytes(null, format.flexible);
      return;
    }
    const length = batches.reduce((sum, batch) => sum + batch.length, 0);
    if (format.flexible) writer.appendUnsignedVarInt(length + 1);
    else writer.appendInt32(length);
    for (const batch of batches) if (batch.length > 0) writer.append(batch);
  },
};

export function nullableArray<R, W>(
  element: Codec<R, W>,
): Codec<readonly R[] | null, readonly W[] | null> {
  return {
    read(reader, format) {
      const count = reader.count(format.flexible);
      if (count === null) return null;
      return Array.from({ length: count }, () => element.read(reader, format));
    },
    write(writer, values, format) {
      const count = values?.length ?? -1;
      if (format.flexible) writer.appendUnsignedVarInt(count + 1);
      else writer.appendInt32(count);
      for (const value of values ?? []) element.write(writer, value, format);
    },
  };
}

export function array<R, W>(element: Codec<R, W>): Codec<readonly R[], readonly W[]> {
  const nullable = nullableArray(element);
  return {
    read: (reader, format) => notNull(nullable.read(reader, format), "array"),
    write: (writer, values, format) => nullable.write(writer, values, format),
  };
}

/** A field of some versions only. In other versions it reads as `absent` and is not written. */
export interface VersionedField<R, W> {
  readonly codec: Codec<R, W>;
  readonly absent: W & R;
  readonly from: number;
  readonly to: number;
  /** The tag of a tagged field, which is written only when a value is given. */
  readonly tag?: number;
}

/**
 * Returns a field that exists from version `from` on. `absent` is also written when the value is
 * left out.
 */
export function since<R, W>(
  from: number,
  codec: Codec<R, W>,
  absent: NoInfer<W & R>,
): VersionedField<R, W> {
  return { codec, absent, from, to: Number.POSITIVE_INFINITY };
}

export function between<R, W>(
  from: number,
  to: number,
  codec: Codec<R, W>,
  absent: NoInfer<W & R>,
): VersionedField<R, W> {
  return { codec, absent, from, to };
}

export function tagged<R, W>(
  tag: number,
  from: number,
  codec: Codec<R, W>,
  absent: NoInfer<W & R>,
): VersionedField<R, W> {
  return { codec, absent, from, to: Number.POSITIVE_INFINITY, tag };
}

// The fields of a struct differ in type; each is only ever used with its own values.
type AnyField = Codec<never, never> | VersionedField<never, never>;
type FieldValue<F> =
  F extends VersionedField<infer R, infer _W> ? R : F extends Codec<infer R, infer _V> ? R : never;
type FieldInput<F> =
  F extends VersionedField<infer _R, infer W> ? W : F extends Codec<infer _Q, infer W> ? W : never;
type VersionedNames<F> = {
  [K in keyof F]: F[K] extends VersionedField<infer _R, infer _W> ? K : never;
}[keyof F];
type StructValue<F> = { readonly [K in keyof F]: FieldValue<F[K]> };
type StructInput<F> = {
  readonly [K in Exclude<keyof F, VersionedNames<F>>]: FieldInput<F[K]>;
} & { readonly [K in VersionedNames<F>]?: FieldInput<F[K]> };

/** Returns a codec for fields in wire order. */
export function struct<const F extends Record<string, object>>(
  definition: F & { [K in keyof F]: AnyField | F[K] },
): Codec<StructValue<F>, StructInput<F>>;
export function struct(
  definition: Record<string, Codec<unknown> | VersionedField<unknown, unknown>>,
): Codec<Values, Values> {
  const fields = Object.entries(definition).map(([name, field]) => toField(name, field));
  const plain = fields.filter((field) => field.tag === undefined);
  const tags = fields.filter((field) => field.tag !== undefined);
  return {
    read(reader, format) {
      const value: Values = {};
      for (const field of plain) {
        value[field.name] = isIn(field, format) ? field.codec.read(reader, format) : field.absent;
      }
      for (const field of tags) value[field.name] = field.absent;
      if (format.flexible) readTags(reader, format, tags, value);
      return value;
    },
    write(writer, value, format) {
      for (const field of plain) {
        if (isIn(field, format)) {
          const given = value[field.name];
          field.codec.write(writer, given === undefined ? field.absent : given, format);
        }
      }
      if (format.flexible) writeTags(writer, format, tags, value);
    },
  };
}

type Values = Record<string, unknown>;

interface StructField {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly absent: unknown;
  readonly from: number;
  readonly to: number;
  readonly tag?: number;
}

function toField(
  name: string,
  field: Codec<unknown> | VersionedField<unknown, unknown>,
): StructField {
  if ("codec" in field) return { name, ...field };
  return { name, codec: field, absent: undefined, from: 0, to: Number.POSITIVE_INFINITY };
}

function isIn(field: StructField, format: WireFormat): boolean {
  return format.version >= field.from && format.version <= field.to;
}

function readTags(
  reader: WireReader,
  format: WireFormat,
  tags: readonly StructField[],
  value: Values,
): void {
  for (let left = reader.unsignedVarint(); left > 0; left -= 1) {
    const tag = reader.unsignedVarint();
    const content = reader.within(reader.unsignedVarint());
    const field = tags.find((candidate) => candidate.tag === tag && isIn(candidate, format));
    if (field !== undefined) value[field.name] = field.codec.read(content, format);
  }
}

function writeTags(
  writer: Writer,
  format: WireFormat,
  tags: readonly StructField[],
  value: Values,
): void {
  const given = tags.filter((field) => isIn(field, format) && value[field.name] !== undefined);
  writer.appendUnsignedVarInt(given.length);
  for (const field of given) {
    const content = PlatformaticWriter.create();
    field.codec.write(content, value[field.name], format);
    writer.appendUnsignedVarInt(field.tag ?? 0);
    writer.appendUnsignedVarInt(content.length);
    writer.appendFrom(content);
  }
}

function notNull<T>(value: T | null, what: string): T {
  if (value === null) throw new MalformedRequest(`${what} must not be null`);
  return value;
}
