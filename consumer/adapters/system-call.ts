/** What a call of node:fs gives to its callback. */
export function result<T>(
  call: (end: (error: NodeJS.ErrnoException | null, value: T) => void) => void,
): Promise<T> {
  return new Promise((fulfil, reject) => {
    call((error, value) => {
      if (error === null) fulfil(value);
      else reject(error);
    });
  });
}

export function done(
  call: (end: (error: NodeJS.ErrnoException | null) => void) => void,
): Promise<void> {
  return result<void>((end) => call((error) => end(error, undefined)));
}
