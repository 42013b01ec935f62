// What ExcelJS and SheetJS find in workbooks: sheets, and how many numbers of which sum are in each. Zeros do not count:
// ExcelJS drops those that a shared formula gives.
const ExcelJS = require("exceljs");
const SheetJS = require("xlsx");

const counted = (numbers) => ({ n: numbers.filter((number) => number !== 0).length, sum: numbers.reduce((sum, number) => sum + number, 0) });

async function byExcelJS(path) {
  const book = new ExcelJS.Workbook();
  await book.xlsx.readFile(path);
  const found = {};
  for (const sheet of book.worksheets) {
    const numbers = [];
    sheet.eachRow((row) => row.eachCell((cell) => {
      // it keeps no result of a shared formula that gives 0
      const value = cell.value && typeof cell.value === "object" ? cell.value.result : cell.value;
      if (typeof value === "number") numbers.push(value);
    }));
    found[sheet.name] = counted(numbers);
  }
  return found;
}

function bySheetJS(path) {
  const book = SheetJS.readFile(path);
  const found = {};
  for (const name of book.SheetNames) {
    const cells = Object.entries(book.Sheets[name]).filter(([address]) => !address.startsWith("!"));
    found[name] = counted(cells.filter(([, cell]) => cell.t === "n").map(([, cell]) => cell.v));
  }
  return found;
}

(async () => {
  const found = {};
  for (const path of process.argv.slice(2)) {
    found[path] = { exceljs: await byExcelJS(path), sheetjs: bySheetJS(path) };
  }
  console.log(JSON.stringify(found));
})();
