using Espalier.Finetuning;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Finetuning;

public sealed class DelimitedTextTests
{
    /// <summary>Rows of one to four columns of the characters that matter.</summary>
    private static readonly Gen<string[][]> Tables = Gen.Elements('a', 'ü', ',', '"', '\n', '\r', '\t', ' ').ArrayOf()
        .Select(letters => new string(letters))
        .ArrayOf().Where(fields => fields.Length > 0)
        .ArrayOf();

    [Fact]
    public void CsvReadsBackWhatRfc4180Writes() => Check.QuickThrowOnFailure(Prop.ForAll(
        Tables.ToArbitrary(), Gen.Elements("\n", "\r\n").ToArbitrary(), Gen.Choose(0, 1).ToArbitrary(), (rows, lineEnd, ended) =>
        {
            string text = string.Join(lineEnd, rows.Select(row => string.Join(',', row.Select(Quoted)))) + (ended == 1 ? lineEnd : "");
            TableRow[] read = [.. DelimitedText.Csv(text, "x.csv")];
            Assert.Equal(rows, read.Select(row => row.Fields));
            for (int i = 0; i < read.Length; i++)
            {
                int line = 1 + i + rows[..i].Sum(row => row.Sum(field => field.Count(c => c == '\n')));
                Assert.Equal(line, read[i].Line);
            }
        }));

    [Fact]
    public void TsvReadsBackWhatHasNoTabsAndLineEnds() => Check.QuickThrowOnFailure(Prop.ForAll(
        Tables.ToArbitrary(), rows =>
        {
            string[][] plain =
            [
                .. rows.Select(row => row.Select(field => string.Concat(field.Split('\n', '\r', '\t'))).ToArray())
                    .Where(row => row.Length > 1 || row[0].Length > 0),
            ];
            string text = string.Concat(plain.Select(row => string.Join('\t', row) + "\r\n"));
            Assert.Equal(plain, DelimitedText.Tsv(text).Select(row => row.Fields));
        }));

    [Fact]
    public void PlainCsvNeedsNoQuotes() => Assert.Equal(
        [new[] { "a", "b c", "" }, ["", "", "d"]], DelimitedText.Csv("a,b c,\n\n,,d", "x.csv").Select(row => row.Fields));

    [Theory]
    [InlineData("a\"b,c\n", "x.csv:1: a quote stands within a column")]
    [InlineData("a,b\n\"a\"b,c\n", "x.csv:2: a quote stands within a column")]
    [InlineData("a,b\n\n\"a,b\nc\n", "x.csv:3: the quote that opens a column here is never closed")]
    public void MisplacedQuotesAreNamed(string text, string message) => Assert.StartsWith(
        message,
        Assert.Throws<UserErrorException>(() => DelimitedText.Csv(text, "x.csv").Count()).Message, StringComparison.Ordinal);

    private static string Quoted(string field) => $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
