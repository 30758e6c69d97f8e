using System.Text.Json;

namespace Espalier.Data;

/// <summary>Sets special tokens around one text or a pair, and numbers the texts.</summary>
internal sealed class PostProcessor
{
    private const int Special = -1;

    private static readonly Piece[] OneText = [Text(0, 0)], TwoTexts = [Text(0, 0), Text(1, 1)];

    private readonly Piece[] _single, _pair;

    private PostProcessor(Piece[] single, Piece[] pair, JsonElement? source)
    {
        _single = single;
        _pair = pair;
        Source = source;
    }

    /// <summary>One that adds nothing.</summary>
    public static PostProcessor None { get; } = new(OneText, TwoTexts, null);

    /// <summary>The part of <c>tokenizer.json</c> that it was read from, or null.</summary>
    public JsonElement? Source { get; }

    /// <summary>BERT's: <c>[CLS] A [SEP]</c> and <c>[CLS] A [SEP] B [SEP]</c>, written as Hugging Face writes it.</summary>
    public static PostProcessor Bert(int cls, int sep) => Written(
        [Token(cls, 0), Text(0, 0), Token(sep, 0)],
        [Token(cls, 0), Text(0, 0), Token(sep, 0), Text(1, 1), Token(sep, 1)],
        id => id == cls ? "[CLS]" : "[SEP]");

    /// <summary>Whether something stands between the texts of a pair.</summary>
    public bool Separates => _pair.SkipWhile(piece => piece.Sequence != 0).TakeWhile(piece => piece.Sequence != 1)
        .Any(piece => piece.Sequence == Special);

    /// <summary>The same with tokens between the texts of a pair, written as Hugging Face writes it.</summary>
    /// <param name="separator">The tokens.</param>
    /// <param name="tokenOf">The token of an id.</param>
    public PostProcessor WithSeparator(int[] separator, Func<int, string> tokenOf)
    {
        int text = Array.FindIndex(_single, piece => piece.Sequence == 0);
        return Written(
            _single, [.. _single[..(text + 1)], new Piece(Special, separator, 0), Text(1, 0), .. _single[(text + 1)..]], tokenOf);
    }

    private static PostProcessor Written(Piece[] single, Piece[] pair, Func<int, string> tokenOf)
    {
        return new PostProcessor(single, pair, JsonSerializer.SerializeToElement(new
        {
            type = "TemplateProcessing",
            single = single.Select(Template),
            pair = pair.Select(Template),
            special_tokens = single.Concat(pair).Where(piece => piece.Sequence == Special).DistinctBy(NameOf).ToDictionary(
                NameOf, piece => new { id = NameOf(piece), ids = piece.Ids, tokens = piece.Ids.Select(tokenOf) }),
        }));

        object Template(Piece piece) => piece.Sequence == Special
            ? new { SpecialToken = new { id = NameOf(piece), type_id = piece.TypeId } }
            : new { Sequence = new { id = piece.Sequence == 0 ? "A" : "B", type_id = piece.TypeId } };

        string NameOf(Piece piece) => string.Concat(piece.Ids.Select(tokenOf));
    }

    /// <summary>Reads the <c>post_processor</c> of a file.</summary>
    public static PostProcessor FromJson(TokenizerJson json)
    {
        if (json.Part("post_processor") is not JsonElement part)
        {
            return None;
        }

        string type = json.String(part, "post_processor", "type");
        if (type != "Sequence")
        {
            (Piece[] single, Piece[] pair) = Templates(json, part);
            return new PostProcessor(single, pair, part);
        }

        json.AllowOnly(part, "the post_processor", "type", "processors");
        (Piece[], Piece[]) templates = (OneText, TwoTexts);
        foreach (JsonElement step in json.Items(json.Member(part, "post_processor", "processors"), "processors"))
        {
            if (json.String(step, "post_processor", "type") == "ByteLevel")
            {
                Templates(json, step);
            }
            else if (templates.Item1 == OneText)
            {
                templates = Templates(json, step);
            }
            else
            {
                throw json.Unsupported("a post_processor that adds tokens twice");
            }
        }

        return new PostProcessor(templates.Item1, templates.Item2, part);
    }

    /// <summary>The special token that it sets before one text, or null.</summary>
    public int? First => _single is [{ Sequence: Special, Ids: [int id, ..] }, ..] ? id : null;

    /// <summary>How many tokens it adds.</summary>
    public int Added(bool isPair) => (isPair ? _pair : _single).Sum(piece => piece.Sequence == Special ? piece.Ids.Length : 0);

    /// <summary>The ids of one text or two, with their special tokens if wanted.</summary>
    public EncodedText Apply(List<int> text, List<int>? pair, bool addSpecialTokens)
    {
        List<int> ids = [], types = [];
        foreach (Piece piece in pair is null ? _single : _pair)
        {
            if (piece.Sequence == Special && !addSpecialTokens)
            {
                continue;
            }

            int before = ids.Count;
            ids.AddRange(piece.Sequence switch { Special => piece.Ids, 0 => text, _ => pair ?? [] });
            types.AddRange(Enumerable.Repeat(piece.TypeId, ids.Count - before));
        }

        return new EncodedText([.. ids], [.. types]);
    }

    private static (Piece[] Single, Piece[] Pair) Templates(TokenizerJson json, JsonElement part)
    {
        string type = json.String(part, "post_processor", "type");
        switch (type)
        {
            case "ByteLevel":
                // It moves only the offsets of tokens in the text, which nothing here reports.
                json.AllowOnly(part, "the post_processor", "type", "add_prefix_space", "trim_offsets", "use_regex");
                return (OneText, TwoTexts);

            case "BertProcessing":
                json.AllowOnly(part, "the post_processor", "type", "sep", "cls");
                (int sep, int cls) = (Named(json, part, "sep"), Named(json, part, "cls"));
                return (
                    [Token(cls, 0), Text(0, 0), Token(sep, 0)],
                    [Token(cls, 0), Text(0, 0), Token(sep, 0), Text(1, 1), Token(sep, 1)]);

            case "RobertaProcessing":
                // As ByteLevel, it also moves offsets.
                json.AllowOnly(part, "the post_processor", "type", "sep", "cls", "trim_offsets", "add_prefix_space");
                (sep, cls) = (Named(json, part, "sep"), Named(json, part, "cls"));
                return (
                    [Token(cls, 0), Text(0, 0), Token(sep, 0)],
                    [Token(cls, 0), Text(0, 0), Token(sep, 0), Token(sep, 0), Text(1, 0), Token(sep, 0)]);

            case "TemplateProcessing":
                json.AllowOnly(part, "the post_processor", "type", "single", "pair", "special_tokens");
                JsonElement tokens = json.Member(part, "post_processor", "special_tokens");
                return (Pieces(json, part, "single", tokens), Pieces(json, part, "pair", tokens));

            default:
                throw json.Unsupported(
                    $"the post_processor \"{type}\"", "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence");
        }
    }

    /// <summary>A token written <c>["[SEP]", 102]</c>.</summary>
    private static int Named(TokenizerJson json, JsonElement part, string name)
    {
        JsonElement pair = json.Member(part, "post_processor", name);
        return pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2
            ? json.Id(pair[1], $"\"{name}\" of the post_processor")
            : throw json.Damaged($"\"{name}\" of its post_processor is not a token and its id");
    }

    private static Piece[] Pieces(TokenizerJson json, JsonElement part, string name, JsonElement tokens)
    {
        var pieces = new List<Piece>();
        foreach (JsonElement piece in json.Items(json.Member(part, "post_processor", name), name))
        {
            if (piece.ValueKind == JsonValueKind.Object && piece.TryGetProperty("Sequence", out JsonElement sequence))
            {
                string which = json.String(sequence, name, "id");
                pieces.Add(which is "A" or "B"
                    ? Text(which == "A" ? 0 : 1, TypeId(sequence))
                    : throw json.Damaged($"\"{name}\" of its post_processor names the text \"{which}\", which is neither A nor B"));
            }
            else if (piece.ValueKind == JsonValueKind.Object && piece.TryGetProperty("SpecialToken", out JsonElement token))
            {
                string id = json.String(token, name, "id");
                JsonElement ids = json.Member(json.Member(tokens, "special_tokens", id), id, "ids");
                pieces.Add(new Piece(Special, [.. json.Items(ids, id).Select(value => json.Id(value, id))], TypeId(token)));
            }
            else
            {
                throw json.Damaged($"\"{name}\" of its post_processor holds what is neither a SpecialToken nor a Sequence");
            }
        }

        return [.. pieces];

        int TypeId(JsonElement piece) => json.Id(json.Member(piece, name, "type_id"), "type_id");
    }

    private static Piece Text(int sequence, int typeId) => new(sequence, [], typeId);

    private static Piece Token(int id, int typeId) => new(Special, [id], typeId);

    /// <param name="Sequence">The text, 0 or 1, or <see cref="Special"/>.</param>
    /// <param name="Ids">The special token's ids.</param>
    /// <param name="TypeId">The number of the text.</param>
    private sealed record Piece(int Sequence, int[] Ids, int TypeId);
}
