namespace Espalier.Bench.Step;

/// <summary>What a measurement of one setting came to.</summary>
internal interface IResult
{
    /// <summary>A heading, a table and a sentence.</summary>
    string ToMarkdown();
}
