/** What the page's address carries. */
export type LogsSearch = {
  q?: string;
  service?: string;
  level?: string;
  line?: string;
  live?: string;
  wrap?: string;
  order?: string;
};
