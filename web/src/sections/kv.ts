// What caching the past costs, and what a smaller cache was measured to lose.
import { dotPlot } from "../chart/dotplot";
import { drawn, h, section } from "../dom";
import type { Page, Run } from "../data";
import { memoryText, natsText } from "../format";

interface Choice {
  name: string;
  bytes: number;
  kl: number;
  low: number;
  high: number;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** The choices of a kv.plan/1, as far as they say what they are, take and lose. */
function choicesOf(run: Run): Choice[] {
  const list = [run.options, run.choices, run.candidates].find(Array.isArray) as Record<string, unknown>[] | undefined;
  return (list ?? []).flatMap((entry) => {
    const kl = entry.kl_divergence as Record<string, unknown> | number | null;
    const value = isNumber(kl) ? kl : kl?.mean;
    const bytes = entry.kv_bytes ?? entry.total_bytes;
    if (!isNumber(value) || !isNumber(bytes)) return [];
    const spread = isNumber(kl) || kl === null ? {} : kl;
    const name = [entry.name, entry.type_k, entry.type_v, entry.k, entry.v].filter((v) => typeof v === "string").join(" / ");
    return [{ name: name || "cache", bytes, kl: value, low: isNumber(spread.low) ? spread.low : value, high: isNumber(spread.high) ? spread.high : value }];
  });
}

export function kvSection(page: Page): HTMLElement | null {
  if (page.kvPlans.length === 0) return null;
  return section(
    "kv",
    "The KV cache",
    "Types of cache by what they take and what they were measured to lose on this model.",
    ...page.kvPlans.map((run) => {
      const choices = choicesOf(run).sort((a, b) => b.bytes - a.bytes);
      if (choices.length === 0) return h("p", { class: "notice" }, "This plan lists no choices with bytes and KL divergence; the run log has it whole.");
      const dots = choices.map((c) => ({ label: `${c.name}, ${memoryText(c.bytes)}`, value: Math.max(c.kl, 1e-6), low: Math.max(c.low, 1e-6), high: Math.max(c.high, 1e-6), text: natsText(c.kl), grade: "measured" as const }));
      return drawn((width) => dotPlot({ dots, title: "KL divergence, nats per token", label: "KV cache types by KL divergence", log: true }, width));
    }),
  );
}
