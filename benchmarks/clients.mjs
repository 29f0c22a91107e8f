// The other clients for Node.js, each used as its documentation shows; a run for each line read, its ms for an answer.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import mysql from "mysql2/promise";
import serverlessMysql from "serverless-mysql";

const { client, job, host, port, user, password, schema, certificates, read, insert } = JSON.parse(process.argv[2]);
const database = { host, port, user, password, database: schema, ssl: { ca: readFileSync(certificates) } };
const next = (rows) => insert.replaceAll("{sequence}", rows.length ? rows[0].sequence + 1 : 1);

const runs = {
  async mysql2() {
    const connection = await mysql.createConnection(database);
    await connection.query("START TRANSACTION");
    const [rows] = await connection.query(read);
    await connection.query(next(rows));
    await connection.query("COMMIT");
    await connection.end();
  },
  async "serverless-mysql"() {
    const connection = serverlessMysql({ config: database });
    const rows = await connection.query(read);
    await connection.transaction().query(next(rows)).commit();
    connection.quit();
  },
};

for await (const _ of createInterface({ input: process.stdin })) {
  const started = process.hrtime.bigint();
  await runs[client]();
  console.log(Number(process.hrtime.bigint() - started) / 1e6);
}
