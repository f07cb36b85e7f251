import { Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useState } from "react";

/** Copies by the clipboard API, or by a hidden field where a page without TLS has none. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function Copy({
  text,
  label,
  size = 14,
  icon: Icon = IconCopy,
}: {
  text: string | (() => string);
  label: string;
  size?: number;
  icon?: typeof IconCopy;
}) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void copyText(typeof text === "string" ? text : text()).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1_500);
    });
  };
  return (
    <Tooltip label={copied ? "Copied" : label} openDelay={300} withinPortal>
      <button type="button" className="icon-button" aria-label={label} onClick={copy}>
        {copied ? <IconCheck size={size} aria-hidden /> : <Icon size={size} aria-hidden />}
      </button>
    </Tooltip>
  );
}

export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <div className="code-block">
      <pre tabIndex={0} role="region" aria-label={label}>
        {code}
      </pre>
      <Copy text={code} label={`Copy ${label}`} />
    </div>
  );
}
