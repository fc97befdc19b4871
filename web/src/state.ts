// What the person has set, what follows from it, and who wants to know.
import type { Dashboard } from "./data";
import { decide } from "./whatif/decide";
import type { Conditions, Decision, Machine, Option } from "./whatif/types";

export class State {
  readonly initial: Conditions;
  conditions: Conditions;
  decision: Decision;
  /** The option that is looked at: by name, so that it stays when the others change. Null: none was chosen. */
  selectedName: string | null = null;
  private readonly listeners: (() => void)[] = [];

  constructor(readonly dashboard: Dashboard) {
    this.initial = dashboard.conditions;
    this.conditions = { ...this.initial };
    this.decision = decide(dashboard.basis, this.conditions);
  }

  get machines(): Machine[] {
    const all = [this.initial.machine, this.dashboard.here, ...this.dashboard.basis.described];
    const seen = new Set<string>();
    return all.filter((m) => !seen.has(m.name) && seen.add(m.name));
  }

  /** What was chosen, else what is recommended, else what comes nearest to fitting. */
  get selected(): Option | null {
    const { options, recommended } = this.decision;
    const named = options.find((o) => o.name === this.selectedName);
    const least = options.reduce<Option | null>((a, b) => (a && a.memory.total_bytes <= b.memory.total_bytes ? a : b), null);
    return named ?? (recommended === null ? least : (options[recommended] ?? null));
  }

  change(changes: Partial<Conditions>): void {
    this.conditions = { ...this.conditions, ...changes };
    this.decision = decide(this.dashboard.basis, this.conditions);
    this.tell();
  }

  reset(): void {
    this.selectedName = null;
    this.change(this.initial);
  }

  select(name: string): void {
    this.selectedName = name;
    this.tell();
  }

  /** Call now, and after every change. */
  watch(listener: () => void): void {
    this.listeners.push(listener);
    listener();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
