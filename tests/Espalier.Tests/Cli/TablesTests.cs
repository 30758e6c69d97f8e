using Espalier.Cli;

namespace Espalier.Tests.Cli;

/// <summary>Tables on a narrow terminal.</summary>
public class TablesTests
{
    private static readonly string[] Columns = ["Run", "Final loss", "FLOPs", "FLOPs to target", "FLOPs saved", "Time", "Time saved"];
    private static readonly string[][] Rows = [["scratch", "1.234", "1.2e13", "1.2e13", "0 %", "1:02:03", "0 %"]];

    [Fact]
    public void ATableThatFitsIsOne() => Assert.Equal([[0, 1, 2, 3, 4, 5, 6]], Tables.Parts(Columns, Rows, 1000));

    /// <summary>Every column comes once, after the names, and no part is wider than the terminal.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(50)]
    [InlineData(40)]
    public void AWideTableIsCutBetweenColumns(int width)
    {
        IReadOnlyList<int[]> parts = Tables.Parts(Columns, Rows, width);
        Assert.All(parts, part => Assert.Equal(0, part[0]));
        Assert.Equal(Enumerable.Range(1, 6), parts.SelectMany(part => part[1..]));
        Assert.All(parts, part => Assert.True(part.Sum(i => Math.Max(Columns[i].Length, Rows[0][i].Length) + 2) <= width));
    }

    /// <summary>A column that is wider than the terminal by itself still has its place.</summary>
    [Fact]
    public void NothingIsLeftOutHoweverNarrow() => Assert.Equal(
        [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [0, 6]], Tables.Parts(Columns, Rows, 1));
}
