<?php

// It is not a page.
if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}

ob_start();
require __DIR__ . '/../index.php';
$page = ob_get_clean();

if ($page !== "The pilot boards the Clyde\n" || Harbour\Pilot::boards('Tay') !== 'The pilot boards the Tay') {
    fwrite(STDERR, "the page is $page");
    exit(1);
}
