import { handler as end } from "./mysqljs_end.mjs";

export const handler = () => {
  console.log("the handler begins");
  return end();
};
