using System.Text.RegularExpressions;

namespace Espalier.Tests;

/// <summary>Holds the rooms of src/Espalier to the table in docs/architecture.md: each uses only those listed below it.</summary>
public class RoomsTests
{
    private static readonly string Root = RepositoryRoot.Find();

    private static readonly string Source = Path.Combine(Root, "src", "Espalier");

    /// <summary>The rooms, from top to bottom.</summary>
    private static string[] Rooms { get; } =
    [
        .. Regex.Matches(File.ReadAllText(Path.Combine(Root, "docs", "architecture.md")), @"(?m)^      (\w+)/  ")
            .Select(line => line.Groups[1].Value),
    ];

    [Fact]
    public void EveryFolderIsARoomOfTheTable() => Assert.Empty(
        Directory.GetDirectories(Source)
            .Where(folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Any())
            .Select(folder => Path.GetFileName(folder)!)
            .Except([.. Rooms, "bin", "obj"]));

    [Fact]
    public void EveryRoomUsesOnlyThoseBelowIt()
    {
        var forbidden =
            from file in Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories)
            let path = Path.GetRelativePath(Source, file)
            let room = path.Contains(Path.DirectorySeparatorChar) ? path.Split(Path.DirectorySeparatorChar)[0] : null
            where room is not ("bin" or "obj")

            // The files of the root stand below all rooms.
            let own = room is null ? Rooms.Length : Array.IndexOf(Rooms, room)
            from used in RoomsIn(File.ReadAllText(file)).Distinct()
            where Array.IndexOf(Rooms, used) < own
            orderby path
            select $"{path} -> {used}";
        Assert.Empty(forbidden);
    }

    /// <summary>The rooms that usings and qualified names speak of.</summary>
    private static IEnumerable<string> RoomsIn(string code) =>
        Regex.Matches(code, @"\bEspalier\.(\w+)").Select(name => name.Groups[1].Value).Where(Rooms.Contains);
}
