/** Loads the entry points that are its arguments from CommonJS, and prints how many names each one exports. */
for (const name of process.argv.slice(2))
  console.log(`${name} ${Object.keys(require(name)).length}`);
