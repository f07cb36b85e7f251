/** The newest `capacity` items; older ones fall out and are counted. */
export class Ring<T> {
  private items: T[] = [];
  private head = 0;
  /** Everything ever pushed. */
  total = 0;

  constructor(readonly capacity: number) {}

  get length(): number {
    return this.items.length;
  }

  push(item: T): void {
    this.total += 1;
    if (this.items.length < this.capacity) {
      this.items.push(item);
      return;
    }
    this.items[this.head] = item;
    this.head = (this.head + 1) % this.capacity;
  }

  /** 0 is the oldest that is kept. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.items.length) return undefined;
    return this.items[(this.head + index) % this.items.length];
  }

  clear(): void {
    this.items = [];
    this.head = 0;
    this.total = 0;
  }
}
